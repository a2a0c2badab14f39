import type { Vitest } from "@effect/vitest"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Result, type Scope } from "effect"
import { layer } from "../../src/layers/redis/EventStreams.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { Redis } from "../../src/services/Redis.ts"
import { blockedReaders, empty, eventuallyTrue, send } from "./steps.ts"

const consumer = { group: "g", name: "a" }

/** More readers than Effect's own pool of reserved connections gives by default. */
const streamKeys = Array.from({ length: 13 }, (_, at) => `s${at}`)

const begin = Effect.fnUntraced(function* (keys: ReadonlyArray<string>) {
  yield* empty
  const streams = yield* EventStreams
  for (const key of keys) yield* streams.createGroup(key, "g", "0")
  return streams
})

/** Sends a command until it is done. */
const insist = (line: string) =>
  eventuallyTrue(`${line} is done`, Effect.map(Effect.result(send(line)), Result.isSuccess))

/** Closes connections as a server that goes away does: all but the one that asks, or all. */
const cut = (whose: "others" | "all") =>
  Effect.ignore(send(`CLIENT KILL TYPE normal SKIPME ${whose === "others" ? "yes" : "no"}`))

/** How connections are lent, given back and lost; for a driver of a real server. */
export const connectionsContract = (it: Vitest.MethodsNonLive<Redis>): void => {
  const test = <E>(name: string, effect: Effect.Effect<void, E, EventStreams | Redis | Scope.Scope>) =>
    it.effect(name, () => Effect.scoped(Effect.provide(effect, layer)))

  test(
    "a reader gives its connection back, be it used, failed or interrupted while it waits",
    Effect.gen(function* () {
      const streams = yield* begin(["s"])
      const reading = (key: string, blockMs: number) =>
        Effect.scoped(Effect.flatMap(streams.reader, (reader) => reader.readNew(key, consumer, 1, blockMs)))
      for (let at = 0; at < 12; at++) {
        yield* reading("s", 0)
        yield* Effect.flip(reading("none", 0))
        const waiting = yield* Effect.forkChild(reading("s", 60_000))
        yield* blockedReaders(1)
        yield* Fiber.interrupt(waiting)
      }
      yield* blockedReaders(0)
      const left = yield* Effect.forEach(Array.from({ length: 10 }), () => streams.reader)
      assert.isTrue(left.every((reader) => reader.canWait()))
    })
  )

  test(
    "more readers than there are connections read all the same: those without one look and never wait",
    Effect.gen(function* () {
      const streams = yield* begin(streamKeys)
      const readers = yield* Effect.forEach(streamKeys, () => streams.reader, { concurrency: "unbounded" })
      const waiting = readers.filter((reader) => reader.canWait()).length
      assert.isAtLeast(waiting, 10)
      const reads = yield* Effect.forEach(readers, (reader, at) =>
        Effect.forkChild(reader.readNew(`s${at}`, consumer, 1, 60_000))
      )
      yield* blockedReaders(waiting)
      for (const [at, reader] of readers.entries()) {
        const read = reads[at]
        if (!reader.canWait() && read !== undefined) assert.deepStrictEqual(yield* Fiber.join(read), [])
      }
      for (const key of streamKeys) yield* send(`XADD ${key} 1-1 n 1`)
      for (const [at, reader] of readers.entries()) {
        const read = reads[at]
        const found =
          reader.canWait() && read !== undefined ? Fiber.join(read) : reader.readNew(`s${at}`, consumer, 1, 0)
        assert.deepStrictEqual(yield* found, [{ id: "1-1", fields: ["n", "1"] }])
      }
    })
  )

  test(
    "a waiting read whose connection is lost fails as an outage; the next reader reads on",
    Effect.gen(function* () {
      const streams = yield* begin(["s"])
      const reader = yield* streams.reader
      const waiting = yield* Effect.forkChild(Effect.flip(reader.readNew("s", consumer, 1, 60_000)))
      yield* blockedReaders(1)
      yield* cut("others")
      const { reason } = yield* Fiber.join(waiting)
      assert.strictEqual(reason._tag, "Unavailable", reason.message)
      yield* blockedReaders(0)
      yield* send("XADD s 1-1 n 1")
      // The pool may lend what was lost while it lay idle: each such connection fails once, and is gone.
      const again = Effect.scoped(Effect.flatMap(streams.reader, (next) => next.readNew("s", consumer, 1, 60_000)))
      const read = yield* Effect.retry(again, { times: 20, while: ({ isOutage }) => isOutage })
      assert.deepStrictEqual(read, [{ id: "1-1", fields: ["n", "1"] }])
      assert.deepStrictEqual(yield* streams.pendingOf("s", consumer, "-", 1), [{ id: "1-1", deliveries: 1 }])
    })
  )

  test(
    "commands are answered again after every connection was lost, and what fails meanwhile is an outage",
    Effect.gen(function* () {
      const streams = yield* begin(["s"])
      yield* cut("all")
      const { send: ask } = yield* Redis
      const tried = yield* Effect.result(streams.acknowledge("s", "g", ["1-1"]))
      if (tried._tag === "Failure") assert.isTrue(tried.failure.isOutage, tried.failure.message)
      yield* insist("PING")
      assert.strictEqual(yield* ask("PING"), "PONG")
      assert.isTrue((yield* streams.reader).canWait())
    })
  )

  test(
    "what Redis refuses is told apart: permissions, memory, a key of another kind",
    Effect.gen(function* () {
      const streams = yield* begin(["s"])
      const reasons: Array<readonly [string, string]> = []
      const refusedBy = Effect.fnUntraced(function* (command: string, undo: string) {
        yield* send(command)
        const { reason } = yield* Effect.ensuring(Effect.flip(streams.add("s", ["n", "1"])), Effect.ignore(send(undo)))
        reasons.push([command.split(" ")[0] ?? "", reason._tag])
      })
      yield* refusedBy("ACL SETUSER default -xadd", "ACL SETUSER default +xadd")
      yield* refusedBy("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")
      yield* refusedBy("SET s text", "DEL s")
      assert.deepStrictEqual(reasons, [
        ["ACL", "Refused"],
        ["CONFIG", "OutOfMemory"],
        ["SET", "WrongType"]
      ])
    })
  )
}
