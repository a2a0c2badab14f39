import type { Vitest } from "@effect/vitest"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { layer } from "../../src/layers/redis/EventStreams.ts"
import { auditKey, EventStreams } from "../../src/services/EventStreams.ts"
import type { EventStreamsError } from "../../src/services/EventStreamsError.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { empty, send, steps } from "./steps.ts"

const consumer = { group: "g", name: "a" }

/** An empty server with stream `s`, group `g` at its start, and entries 1-1 … n-1. */
const scene = Effect.fnUntraced(function* (entries = 0) {
  yield* empty
  const streams = yield* EventStreams
  yield* streams.createGroup("s", "g", "0")
  for (let at = 1; at <= entries; at++) yield* send(`XADD s ${at}-1 n ${at}`)
  return streams
})

/** The same, all entries handed out to consumer `a`. */
const readScene = Effect.fnUntraced(function* (entries: number) {
  const streams = yield* scene(entries)
  const read = yield* Effect.scoped(
    Effect.flatMap(streams.reader, (reader) => reader.readNew("s", consumer, entries, 0))
  )
  assert.strictEqual(read.length, entries)
  return streams
})

const reasonOf = <A, R>(effect: Effect.Effect<A, EventStreamsError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

/** What the programs are told, whatever driver and protocol it came by: each method, its reply decoded. */
export const eventStreamsContract = (it: Vitest.MethodsNonLive<Redis>): void => {
  const test = <E>(name: string, effect: Effect.Effect<void, E, EventStreams | Redis>) =>
    it.effect(name, () => Effect.provide(effect, layer))

  test(
    "a stream, its groups and its consumers are described",
    Effect.gen(function* () {
      const streams = yield* scene(3)
      assert.isFalse(yield* streams.createGroup("s", "g", "0"))
      assert.isUndefined(yield* streams.streamInfo("none"))
      assert.deepStrictEqual(yield* streams.groupNames("none"), [])
      assert.isUndefined(yield* streams.groupInfo("s", "none"))
      assert.deepStrictEqual(yield* streams.streamInfo("s"), {
        length: 3,
        firstId: "1-1",
        lastGeneratedId: "3-1",
        entriesAdded: 3,
        groups: 1
      })
      yield* streams.createGroup("born", "g", "$")
      assert.deepStrictEqual(yield* streams.streamInfo("born"), {
        length: 0,
        firstId: undefined,
        lastGeneratedId: "0-0",
        entriesAdded: 0,
        groups: 1
      })
      yield* Effect.scoped(Effect.flatMap(streams.reader, (reader) => reader.readNew("s", consumer, 1, 0)))
      const group = yield* streams.groupInfo("s", "g")
      assert.deepInclude(group, { lastDeliveredId: "1-1", pending: 1, consumers: 1, lag: 2, entriesRead: 1 })
      yield* streams.remove("s", ["2-1"])
      assert.isUndefined((yield* streams.groupInfo("s", "g"))?.lag, "Redis cannot tell")
      assert.deepStrictEqual(yield* streams.groupNames("s"), ["g"])
      const [first, ...others] = yield* streams.consumers("s", "g")
      assert.deepInclude(first, { name: "a", pending: 1 })
      assert.isTrue(first !== undefined && first.idle >= 0 && first.idle < 60_000)
      assert.deepStrictEqual(others, [])
      assert.strictEqual(yield* reasonOf(streams.consumers("s", "none")), "NoGroup")
    })
  )

  test(
    "entries are read as they were written, and nothing is an empty list",
    Effect.gen(function* () {
      const streams = yield* scene()
      const fields = ["a", "1", "a", "2", "7", "x", "", "", "föö 😀", "line\r\nline\0", "__proto__", "p"]
      yield* send(["XADD", "s", "1-1", ...fields])
      yield* send("XADD s 2-1 n 2")
      const all = [
        { id: "1-1", fields },
        { id: "2-1", fields: ["n", "2"] }
      ]
      yield* Effect.scoped(
        Effect.gen(function* () {
          const reader = yield* streams.reader
          assert.deepStrictEqual(yield* reader.readNew("s", consumer, 9, 0), all)
          assert.deepStrictEqual(yield* reader.readNew("s", consumer, 9, 0), [])
          assert.deepStrictEqual(yield* reader.readNew("s", consumer, 9, 20), [])
          assert.strictEqual(yield* reasonOf(reader.readNew("none", consumer, 1, 0)), "NoGroup")
        })
      )
      assert.deepStrictEqual(yield* streams.range("s", "-", "+", 9), all)
      assert.deepStrictEqual(yield* streams.range("s", "(1-1", "+", 1), all.slice(1))
      assert.deepStrictEqual(yield* streams.latest("s", 1), all.slice(1))
      assert.deepStrictEqual(yield* streams.range("none", "-", "+", 9), [])
      yield* steps(["SET text v", "OK"])
      assert.strictEqual(yield* reasonOf(streams.range("text", "-", "+", 9)), "WrongType")
    })
  )

  // Keys that mean something else to an object.
  for (const key of ["7", "constructor", "{tag}:events"]) {
    test(
      `a stream named ${key} is read as any other`,
      Effect.gen(function* () {
        yield* empty
        const streams = yield* EventStreams
        yield* streams.createGroup(key, "g", "0")
        yield* send(`XADD ${key} 1-1 n 1`)
        const read = Effect.flatMap(streams.reader, (reader) => reader.readNew(key, consumer, 1, 0))
        assert.deepStrictEqual(yield* Effect.scoped(read), [{ id: "1-1", fields: ["n", "1"] }])
      })
    )
  }

  test(
    "pending entries: whose, how often handed out, how long idle",
    Effect.gen(function* () {
      const streams = yield* readScene(3)
      const pending = (...ids: ReadonlyArray<string>) => ids.map((id) => ({ id, deliveries: 1 }))
      assert.deepStrictEqual(yield* streams.pendingOf("s", consumer, "-", 9), pending("1-1", "2-1", "3-1"))
      assert.deepStrictEqual(yield* streams.pendingOf("s", consumer, "1-1", 1), pending("2-1"))
      assert.deepInclude(yield* streams.holding("s", "g", "2-1"), { consumer: "a", deliveries: 1 })
      assert.isUndefined(yield* streams.holding("s", "g", "9-9"))
      assert.isUndefined(yield* streams.holding("s", "none", "2-1"))
      const released = yield* streams.release("s", consumer, 5_000, [{ id: "2-1", deliveries: 7 }])
      assert.strictEqual(released, 1)
      const idle = yield* streams.longestIdle("s", "g", 1_000)
      assert.isTrue(idle >= 5_000 && idle < 60_000)
      assert.deepStrictEqual(yield* streams.idleOf("s", consumer, 1_000, 9), ["2-1"])
      assert.deepStrictEqual(yield* streams.idleOf("s", consumer, 0, 2), ["1-1", "2-1"])
      assert.deepStrictEqual(yield* streams.idleOf("s", { group: "g", name: "b" }, 0, 9), [])
      assert.deepInclude(yield* streams.holding("s", "g", "2-1"), { consumer: "a", deliveries: 7 })
      assert.strictEqual(yield* streams.acknowledge("s", "g", ["1-1", "9-9"]), 1)
      assert.strictEqual(yield* streams.finish("s", "g", ["2-1"]), 1)
      assert.deepStrictEqual(yield* streams.pendingOf("s", consumer, "-", 9), pending("3-1"))
      assert.strictEqual(yield* streams.longestIdle("s", "g", 1_000), 0)
    })
  )

  test(
    "entries are kept, taken up and taken over by their owner alone",
    Effect.gen(function* () {
      const streams = yield* readScene(5)
      const other = { group: "g", name: "b" }
      yield* steps(["XDEL s 2-1", 1])
      assert.deepStrictEqual(yield* streams.renew("s", consumer, ["1-1", "2-1", "9-9"]), {
        lost: ["9-9"],
        deleted: ["2-1"]
      })
      assert.deepStrictEqual(yield* streams.take("s", consumer, "1-1", 3), {
        _tag: "Taken",
        deliveries: 3,
        fields: ["n", "1"]
      })
      assert.deepStrictEqual(yield* streams.take("s", other, "1-1", 3), { _tag: "NotOwned" })
      yield* steps(["XDEL s 5-1", 1])
      assert.deepStrictEqual(yield* streams.take("s", consumer, "5-1", undefined), { _tag: "Deleted" })
      yield* streams.release(
        "s",
        consumer,
        90_000,
        ["1-1", "3-1", "4-1"].map((id) => ({ id, deliveries: 1 }))
      )
      yield* steps(["XDEL s 3-1", 1])
      const claimed = yield* streams.claimIdle("s", other, 60_000, "0-0", 9)
      assert.deepStrictEqual(claimed, { cursor: "0-0", ids: ["1-1", "4-1"], deleted: ["3-1"] })
      assert.deepStrictEqual(yield* streams.claimIdle("s", other, 60_000, "0-0", 9), {
        cursor: "0-0",
        ids: [],
        deleted: []
      })
      yield* steps(["XGROUP DESTROY s g", 1], ["XGROUP CREATE s g $", "OK"])
      const gone = yield* streams.adopt(
        "s",
        consumer,
        ["1-1", "2-1"].map((id) => ({ id, deliveries: 2 }))
      )
      assert.deepStrictEqual(gone, ["2-1"])
      assert.deepStrictEqual(yield* streams.pendingOf("s", consumer, "-", 9), [{ id: "1-1", deliveries: 2 }])
      assert.isFalse(yield* streams.retireConsumer("s", consumer, 0), "it holds an entry")
      yield* steps(["XGROUP CREATECONSUMER s g b", 1])
      assert.isTrue(yield* streams.retireConsumer("s", other, 0))
    })
  )

  test(
    "entries are moved, put back and trimmed",
    Effect.gen(function* () {
      const streams = yield* readScene(2)
      const move = { from: "s", to: "dlq", consumer, id: "1-1", remove: false, fields: ["moved", "1"] }
      assert.isTrue(yield* streams.move(move))
      assert.isFalse(yield* streams.move(move), "it is not pending any more")
      const [moved] = yield* streams.latest("dlq", 1)
      assert.deepStrictEqual(moved?.fields, ["moved", "1"])
      const newId = yield* streams.replay("dlq", moved?.id ?? "", "s", ["n", "again"])
      assert.match(newId ?? "", /^\d+-\d+$/)
      assert.isUndefined(yield* streams.replay("dlq", moved?.id ?? "", "s", ["n", "again"]))
      assert.isTrue(yield* streams.isReplayed("s", newId ?? ""))
      assert.isFalse(yield* streams.isReplayed("s", "1-1"))
      yield* streams.acknowledge("s", "g", ["2-1"])
      assert.strictEqual(yield* streams.trim("s", "2-1"), 1)
      assert.strictEqual(yield* streams.trim("s", undefined), 1)
      assert.strictEqual(yield* streams.remove("s", [newId ?? "", "9-9"]), 1)
    })
  )

  test(
    "names, streams, rules and tokens are one's own",
    Effect.gen(function* () {
      const streams = yield* scene()
      assert.isFalse(yield* streams.isLeased("s", consumer))
      assert.isTrue(yield* streams.renewLease("s", consumer, "token", 5_000))
      assert.isTrue(yield* streams.isLeased("s", consumer))
      assert.isFalse(yield* streams.renewLease("s", consumer, "other", 5_000))
      yield* streams.releaseLease("s", consumer, "token")
      assert.isFalse(yield* streams.isLeased("s", consumer))
      assert.isTrue(yield* streams.renewLease("s", consumer, "other", 5_000))
      assert.isUndefined(yield* streams.streamOwner("s"))
      assert.isTrue(yield* streams.claimStream("s", "g", 5_000))
      assert.isFalse(yield* streams.claimStream("s", "h", 5_000))
      assert.strictEqual(yield* streams.streamOwner("s"), "g")
      assert.isUndefined(yield* streams.groupStart("s", "g"))
      yield* streams.keepGroupStart("s", "g", "5-0")
      assert.strictEqual(yield* streams.groupStart("s", "g"), "5-0")
      assert.isUndefined(yield* streams.rules("s", "g"))
      assert.isTrue(yield* streams.swapRules("s", "g", undefined, "[]"))
      assert.isFalse(yield* streams.swapRules("s", "g", undefined, "[1]"))
      assert.strictEqual(yield* streams.rules("s", "g"), "[]")
      const rate = { count: 10, perMs: 1_000 }
      assert.strictEqual(yield* streams.reserveTokens("s", "g", 10, rate), 0)
      const wait = yield* streams.reserveTokens("s", "g", 10, rate)
      assert.isTrue(wait > 500 && wait <= 1_000, `${wait}`)
      const turn = { what: "ok down", count: 1, windowMs: 60_000, lastsMs: 60_000, counted: false }
      assert.deepStrictEqual(yield* streams.takeTurn("s", "g", "health", turn), { _tag: "Told", count: 1 })
      assert.deepStrictEqual(yield* streams.takeTurn("s", "g", "health", turn), { _tag: "Same" })
      const held = yield* streams.takeTurn("s", "g", "health", { ...turn, what: "down ok" })
      assert.isTrue(held._tag === "Wait" && held.ms > 50_000 && held.ms <= 60_000)
      yield* streams.addToAudit("s", ["who", "me"])
      assert.deepStrictEqual((yield* streams.latest(auditKey("s"), 1))[0]?.fields, ["who", "me"])
    })
  )

  test(
    "replicas leave figures for a while, and counts of an hour that add up",
    Effect.gen(function* () {
      const streams = yield* scene()
      assert.deepStrictEqual(yield* streams.replicas("s", "g"), [])
      assert.deepStrictEqual([...(yield* streams.countsOf("s", "g", "h"))], [])
      const report = (name: string, ...counts: ReadonlyArray<readonly [string, number]>) =>
        streams.report("s", { group: "g", name }, { figures: `{"é":"${name}"}`, ttlMs: 15_000, hour: "h", counts })
      yield* report("b", ["05:dlq:received", 2])
      yield* report("a")
      yield* report("b", ["05:dlq:received", 3], ["05:dlq:retried", 1])
      assert.deepStrictEqual(yield* streams.replicas("s", "g"), ['{"é":"a"}', '{"é":"b"}'])
      assert.deepStrictEqual(yield* streams.replicas("s", "other"), [])
      const counts = yield* streams.countsOf("s", "g", "h")
      assert.deepStrictEqual([...counts].toSorted(), [
        ["05:dlq:received", 5],
        ["05:dlq:retried", 1]
      ])
    })
  )

  test(
    "the server is there, says what it is, and lets this user do all",
    Effect.gen(function* () {
      const streams = yield* scene()
      yield* streams.ping
      assert.match((yield* streams.serverInfo).get("redis_version") ?? "", /^\d+\.\d+/)
      assert.deepStrictEqual(yield* streams.missingPermissions([{ words: ["XACK", "s", "g", "0-0"], key: "s" }]), [])
    })
  )
}
