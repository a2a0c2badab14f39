import { Effect, Layer } from "effect"
import { assert, describe, it } from "vitest"
import type { Redis } from "../../src/services/Redis.ts"
import * as Scripts from "../../src/services/Scripts.ts"
import { call, empty, errorOf, refused, send, steps } from "./steps.ts"

/** A server that can refuse a user single commands, and what its other users (who may do all) send to it. */
export interface RefusingServer {
  readonly all: Layer.Layer<Redis, unknown>
  /** As a user who may run every command but one. */
  readonly without: (command: string) => Layer.Layer<Redis, unknown>
}

/** For each script: keys and arguments with which it runs every command that it has. */
const calls: Readonly<Record<string, ReadonlyArray<string>>> = {
  move: call(Scripts.move, ["s", "d"], ["g", "a", "1-1", "1", "x", "1"]),
  finish: call(Scripts.finish, ["s"], ["g", "1-1"]),
  conclude: call(Scripts.conclude, ["s", "outcome"], ["g", "1", "60000", "1-1", "done"]),
  renew: call(Scripts.renew, ["s"], ["g", "a", "1-1"]),
  adopt: call(Scripts.adopt, ["s"], ["g", "a", "3-1", "1"]),
  take: call(Scripts.take, ["s"], ["g", "a", "1-1", "2"]),
  release: call(Scripts.release, ["s"], ["g", "a", "60000", "1-1", "5"]),
  lease: call(Scripts.lease, ["lease"], ["token", "5000"]),
  unlease: call(Scripts.unlease, ["lease"], ["token"]),
  retire: call(Scripts.retire, ["s"], ["g", "idle", "0"]),
  replay: call(Scripts.replay, ["abandoned", "s", "replayed"], ["1-1", "60", "n", "1"]),
  "put-back": call(Scripts.putBack, ["s", "replayed"], ["60", "n", "1"]),
  withdraw: call(Scripts.withdraw, ["s"], ["g", "1-1", "99999999999999", "n", "2"]),
  trim: call(Scripts.trim, ["t"], [""]),
  permissions: call(Scripts.permissions, [], ["2", "GET", "lease"]),
  swap: call(Scripts.swap, ["rules"], ["old", "new"]),
  reserve: call(Scripts.reserve, ["tokens"], ["10", "10000", "10"]),
  report: call(
    Scripts.report,
    ["figures", "replicas", "counts"],
    ["c-1", "15000", "{}", "60000", "05:dlq:received", "2"]
  ),
  turn: call(Scripts.turn, ["turn"], ["ok down", "1", "60000", "60000", "0"])
}

/** Keeping alive changes an idle time only, and asking changes nothing. */
const unseen = ["renew", "permissions"]

const scene = Effect.gen(function* () {
  yield* empty
  for (const id of ["1-1", "2-1", "3-1"]) yield* send(`XADD s ${id} n 1`)
  yield* send("XGROUP CREATE s g 0")
  yield* send("XREADGROUP GROUP g a COUNT 2 STREAMS s >")
  yield* send("XGROUP CREATECONSUMER s g idle")
  yield* send("XADD abandoned 1-1 n 1")
  yield* send("SADD replayed x")
  yield* send("SET lease token")
  yield* send("SET rules old")
  yield* send("HSET replicas gone 1")
  yield* send("XADD t 1-1 n 1")
  yield* send("XGROUP CREATE t g 1-1")
})

/** All that a script could have changed. */
const state = Effect.gen(function* () {
  const pending = yield* send<ReadonlyArray<ReadonlyArray<unknown>>>("XPENDING s g - + 10")
  const consumers = yield* send<ReadonlyArray<ReadonlyArray<unknown>>>("XINFO CONSUMERS s g")
  const entries = yield* send<ReadonlyArray<readonly [string, unknown]>>("XRANGE s - +")
  return {
    keys: (yield* send<ReadonlyArray<string>>("KEYS *")).toSorted(),
    streams: yield* Effect.forEach(["s", "d", "t", "abandoned"], (key) => send(`XRANGE ${key} - +`)),
    pending: pending.map(([id, consumer, , deliveries]) => [id, consumer, deliveries]),
    consumers: consumers.map((flat) => flat[1]),
    replayed: yield* Effect.forEach(["x", ...entries.map(([id]) => id)], (id) => send(`SISMEMBER replayed ${id}`)),
    kept: Number(yield* send("PTTL replayed")) > 0,
    lease: [yield* send("GET lease"), Number(yield* send("PTTL lease")) > 0],
    outcome: yield* send("GET outcome"),
    rules: yield* send("GET rules"),
    tokens: yield* send("GET tokens"),
    figures: yield* send("GET figures"),
    replicas: yield* send("HGETALL replicas"),
    counts: yield* send("HGETALL counts"),
    lapse: yield* Effect.forEach(["figures", "replicas", "counts"], (key) =>
      Effect.map(send(`PTTL ${key}`), (left) => Number(left) > 0)
    )
  }
})

/** The commands that a script runs, by its own text. */
export const commandsOf = ({ lua }: Scripts.Script): ReadonlyArray<string> => [
  ...new Set([...lua.matchAll(/redis\.p?call\('([A-Z]+)'/g)].map(([, command]) => command ?? ""))
]

/** Every script with every command of it refused in turn: each time it fails and nothing has changed. */
export const refusedCommands = (name: string, server: () => RefusingServer): void => {
  const run = <A, E>(effect: Effect.Effect<A, E, Redis>, as: Layer.Layer<Redis, unknown>) =>
    Effect.runPromise(Effect.provide(effect, as))

  const all = Layer.unwrap(Effect.sync(() => server().all))
  const without = (command: string) => Layer.unwrap(Effect.sync(() => server().without(command)))

  describe(`${name}: a script with a command refused`, () => {
    it("is one of all scripts, with all its commands", () => {
      assert.sameMembers(
        Object.keys(calls),
        Scripts.all.map((script) => script.name)
      )
    })

    for (const script of Scripts.all) {
      const line = calls[script.name] ?? []
      for (const command of commandsOf(script)) {
        it(`${script.name} without ${command} changes nothing`, async () => {
          await run(scene, all)
          const before = await run(state, all)
          const said = await run(errorOf(line), without(command))
          assert.match(said, /NOPERM|can't run this command|ACL failure in script/, said)
          assert.deepStrictEqual(await run(state, all), before)
        })
      }

      it(`${script.name} does what it does for a user who may`, async () => {
        await run(scene, all)
        const before = await run(state, all)
        await run(send(line), all)
        if (!unseen.includes(script.name)) assert.notDeepEqual(await run(state, all), before)
      })
    }

    it("permissions names by their position what would be refused, and runs nothing", async () => {
      await run(scene, all)
      const asked = ["4", "XACK", "s", "g", "1-1", "2", "GET", "lease", "2", "DEL", "lease"]
      await run(steps([call(Scripts.permissions, [], asked), [1]]), without("GET"))
      await run(steps([call(Scripts.permissions, [], asked), []]), all)
      await run(steps(["GET lease", "token"]), all)
    })

    it("names the command and the key where it asks before it writes", async () => {
      await run(scene, all)
      const denied = refused("NOPERM this user has no permissions to run the 'xack' command on 's'")
      await run(steps([calls.move ?? [], denied], [calls.finish ?? [], denied]), without("XACK"))
    })
  })
}
