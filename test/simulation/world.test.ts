/** What each fault does to an app, seen by a small app of the test's own. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, FileSystem, Layer, Random } from "effect"
import { HttpClient } from "effect/http"
import { Redis } from "../../src/services/Redis.ts"
import { Chance, type Fault, World, type WorldOptions } from "../../src/testing/index.ts"

const second = 1_000

/** Writes `life <clock>` every second to its own stream, and `end` when it is stopped. */
const ticking = (say: (line: string) => void, name: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.sync(() => say(`${name} end`)))
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            say(`${name} ${yield* Clock.currentTimeMillis}`)
          })
        )
      )
    })
  )

const start = 1_000_000_000_000

const watched = (faults: ReadonlyArray<Fault.Fault>, replicas = ["a"]) => {
  const lines: Array<string> = []
  const world = new World({
    seed: 1,
    start,
    replicas,
    app: ({ name }) => ticking((line) => lines.push(line), name),
    host: () => ({ status: 200 }),
    faults
  })
  return { lines, world }
}

/** What an effect came to in a world, and when. */
const outcomeOf = <A>(
  effect: Effect.Effect<A, unknown, Redis | HttpClient.HttpClient | FileSystem.FileSystem>,
  options: Partial<WorldOptions> = {},
  runMs = 30 * second
) => {
  const seen: Array<{ readonly at: number; readonly tag: string; readonly value: unknown }> = []
  const world: World = new World({
    seed: 1,
    start,
    app: () =>
      Layer.effectDiscard(
        Effect.forkScoped(
          Effect.matchEffect(effect, {
            onFailure: (error) => Effect.sync(() => seen.push({ at: world.elapsed, tag: "failed", value: error })),
            onSuccess: (value) => Effect.sync(() => seen.push({ at: world.elapsed, tag: "done", value }))
          })
        )
      ),
    host: () => ({ status: 204 }),
    ...options
  })
  world.run(runMs)
  return { seen, world }
}

const send = (...args: [string, ...Array<string>]) => Effect.flatMap(Redis, ({ send }) => send(...args))

describe("processes", () => {
  it("a killed one does nothing more, not even its finalizers, and another takes its name", () => {
    const { lines, world } = watched([{ kind: "crash", at: 2_500, replica: "a", downFor: 5_000 }])
    world.run("9 seconds")
    assert.deepStrictEqual(lines, [`a ${start + 1_000}`, `a ${start + 2_000}`, `a ${start + 8_500}`])
    assert.strictEqual(world.replica("a").starts, 2)
  })

  it("a stopped one runs its finalizers", () => {
    const { lines, world } = watched([{ kind: "stop", at: 1_500, replica: "a", downFor: 1_000 }])
    world.run("4 seconds")
    assert.deepStrictEqual(lines, [`a ${start + 1_000}`, "a end", `a ${start + 3_500}`])
  })

  it("a paused one finds that time went on without it", () => {
    const { lines, world } = watched([{ kind: "pause", at: 1_500, replica: "a", lasts: 10_000 }])
    world.run("13 seconds")
    assert.deepStrictEqual(lines, [`a ${start + 1_000}`, `a ${start + 11_500}`, `a ${start + 12_500}`])
  })

  it("a skewed clock is one replica's own, and its timers are as long as ever", () => {
    const { lines, world } = watched([{ kind: "skew", at: 1_500, replica: "a", by: -60_000, lasts: 1_000 }], ["a", "b"])
    world.run("3500 millis")
    assert.deepStrictEqual(
      lines.filter((line) => line.startsWith("a")),
      [`a ${start + 1_000}`, `a ${start + 2_000 - 60_000}`, `a ${start + 3_000}`]
    )
    assert.deepStrictEqual(
      lines.filter((line) => line.startsWith("b")),
      [1, 2, 3].map((n) => `b ${start + n * second}`)
    )
  })

  it("one stopped with a new name has it from its next start on", () => {
    const names: Array<string> = []
    const world = new World({
      seed: 1,
      replicas: ["a"],
      app: ({ alias }) => Layer.effectDiscard(Effect.sync(() => names.push(alias))),
      host: () => ({ status: 200 }),
      faults: [
        { kind: "stop", at: 1_000, replica: "a", downFor: 1_000, rename: "a-v2" },
        { kind: "crash", at: 5_000, replica: "a", downFor: 1_000 }
      ]
    })
    world.run("10 seconds")
    assert.deepStrictEqual(names, ["a", "a-v2", "a-v2"])
  })
})

describe("an app that cannot be built", () => {
  const broken = (problem: (start: number) => string | undefined) => {
    let starts = 0
    return new World({
      seed: 1,
      app: () =>
        Layer.effectDiscard(
          Effect.suspend(() => {
            starts += 1
            const said = problem(starts)
            return said === undefined ? Effect.void : Effect.fail(new Error(said))
          })
        ),
      host: () => ({ status: 404 })
    })
  }

  it("is said, with the reason, instead of being started again in silence", () => {
    const world = broken(() => "apiBaseUrl: must be a URL")
    assert.throws(() => world.run("1 minute"), /The app of replica-1 was never built: .*apiBaseUrl: must be a URL/s)
  })

  it("is started again where it was built at last", () => {
    const world = broken((start) => (start < 3 ? "not yet" : undefined))
    world.run("1 minute")
    assert.strictEqual(world.replica("replica-1").starts, 3)
  })
})

describe("a program beside the replicas", () => {
  const pings = Effect.forever(Effect.andThen(send("XADD", "pings", "*", "a", "1"), Effect.sleep("1 second")))
  const launch = <A>(program: Effect.Effect<A, unknown, Redis>) => {
    const world = new World({ seed: 1, start, app: () => Layer.empty, host: () => ({ status: 204 }) })
    const exits: Array<Exit.Exit<A, unknown>> = []
    const launched = world.launch("visitor", program, (exit) => exits.push(exit))
    return { exits, launched, world }
  }

  it("has its own way to Redis, and tells how it ended", () => {
    const { exits, launched, world } = launch(send("PING"))
    world.run("1 second")
    assert.deepStrictEqual(exits, [Exit.succeed("PONG")])
    assert.isFalse(launched.process.alive)
  })

  it("stops when it is interrupted, its finalizers done", () => {
    let finalized = false
    const { exits, launched, world } = launch(
      Effect.ensuring(
        pings,
        Effect.sync(() => {
          finalized = true
        })
      )
    )
    world.at(2_500, () => launched.interrupt())
    world.run("10 seconds")
    assert.isTrue(finalized)
    assert.isTrue(exits.every(Exit.hasInterrupts))
    assert.strictEqual(exits.length, 1)
    assert.strictEqual(world.entries("pings").length, 3)
  })

  it("tells nothing when it is killed", () => {
    const { exits, launched, world } = launch(pings)
    world.at(2_500, () => launched.kill())
    world.run("10 seconds")
    assert.deepStrictEqual(exits, [])
    assert.strictEqual(world.entries("pings").length, 3)
  })
})

describe("Redis", () => {
  it("answers within milliseconds", () => {
    const { seen } = outcomeOf(send("PING"))
    assert.strictEqual(seen[0]?.value, "PONG")
    assert.isBelow(seen[0]?.at ?? 0, 100)
  })

  it("a lost reply is a failure of a command that was done", () => {
    const { seen, world } = outcomeOf(Effect.andThen(Effect.sleep("1 second"), send("XADD", "s", "*", "f", "v")), {
      faults: [{ kind: "lost-replies", at: 0, lasts: 10_000, chance: 1 }]
    })
    assert.strictEqual(seen[0]?.tag, "failed")
    assert.strictEqual(world.entries("s").length, 1)
  })

  it("who is cut off without being told finds out by the deadline", () => {
    const { seen, world } = outcomeOf(Effect.andThen(Effect.sleep("2 seconds"), send("XADD", "s", "*", "f", "v")), {
      faults: [{ kind: "cut", at: 1_000, replica: "replica-1", lasts: 20_000, how: "stall" }]
    })
    assert.strictEqual(seen[0]?.tag, "failed")
    assert.closeTo(seen[0]?.at ?? 0, 7_000, 100)
    assert.strictEqual(world.entries("s").length, 0)
  })

  it("a failover forgets the last writes and no others", () => {
    const world = new World({
      seed: 1,
      app: () => Layer.empty,
      host: () => ({ status: 200 }),
      faults: [{ kind: "failover", at: 10_000, loses: 2_000, lasts: 1_000 }]
    })
    for (const at of [1_000, 7_000, 9_000]) world.at(at, () => world.add("s", { at: String(at) }))
    world.run("12 seconds")
    assert.deepStrictEqual(
      world.entries("s").map(({ fields }) => fields.at),
      ["1000", "7000"]
    )
  })
})

describe("HTTP", () => {
  const get = Effect.flatMap(HttpClient.HttpClient, (client) => client.get("http://host.test/path"))

  it("conditions comes before the host, and ends", () => {
    const paths: Array<string> = []
    const twice = Effect.all([
      Effect.map(get, ({ status }) => status),
      Effect.andThen(
        Effect.sleep("5 seconds"),
        Effect.map(get, ({ status }) => status)
      )
    ])
    const { seen } = outcomeOf(Effect.andThen(Effect.sleep("1 second"), twice), {
      host: ({ path }) => {
        paths.push(path)
        return { status: 204 }
      },
      faults: [{ kind: "storm", at: 0, lasts: 3_000, conditions: { statuses: { 503: 1 } } }]
    })
    assert.deepStrictEqual(seen[0]?.value, [503, 204])
    assert.deepStrictEqual(paths, ["/path"])
  })

  it("an answer may be lost after the host did its work", () => {
    let work = 0
    const { seen } = outcomeOf(Effect.timeout(Effect.andThen(Effect.sleep("1 second"), get), "20 seconds"), {
      host: () => {
        work += 1
        return { status: 200 }
      },
      faults: [{ kind: "storm", at: 0, lasts: 3_000, conditions: { replyLost: 1 } }]
    })
    assert.strictEqual(work, 1)
    assert.strictEqual(seen[0]?.tag, "failed")
  })
})

describe("disks", () => {
  it("outlive a process; a power cut takes what was not synced", () => {
    const write = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString("/note", "kept?"))
    const contents = (disk: "process" | "loss") => {
      const { world } = outcomeOf(write, {
        faults: [{ kind: "crash", at: 5_000, replica: "replica-1", downFor: 100_000, disk }]
      })
      return world.replica("replica-1").disk.snapshot().size
    }
    assert.isAbove(contents("process"), contents("loss"))
  })
})

describe("chance", () => {
  it("is the app's as well: the same for a seed, another for another", () => {
    const draw = (seed: number) => outcomeOf(Random.next, { seed }).seen[0]?.value
    assert.strictEqual(draw(1), draw(1))
    assert.notStrictEqual(draw(1), draw(2))
  })

  it("is the same on every machine", () => {
    const chance = new Chance("seed")
    assert.deepStrictEqual(
      [chance.int(0, 1_000_000), chance.int(0, 1_000_000), chance.fork("a").int(0, 1_000_000)],
      [706_975, 194_761, 645_845]
    )
  })

  it("a fork does not depend on what was drawn before", () => {
    const drawn = new Chance("seed")
    drawn.next()
    assert.strictEqual(drawn.fork("a").next(), new Chance("seed").fork("a").next())
  })
})
