import type { Vitest } from "@effect/vitest"
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Redis } from "../../src/services/Redis.ts"
import * as Scripts from "../../src/services/Scripts.ts"
import { blockedReaders, call, empty, refused, send, sendOver, steps, WRONG_TYPE } from "./steps.ts"

const group = (key: string) => send(`XGROUP CREATE ${key} g $ MKSTREAM`)

/** Starts a read on a connection of its own and waits until it is the `nth` that waits. */
const waitingRead = (nth: number, line: string) =>
  Effect.gen(function* () {
    const redis = yield* Redis
    const read = Effect.scoped(Effect.flatMap(redis.reserve, (connection) => sendOver(connection, line)))
    const fiber = yield* Effect.forkChild(read)
    yield* blockedReaders(nth)
    return fiber
  })

const readGroup = (consumer: string, ms: number, keys = "s >") =>
  `XREADGROUP GROUP g ${consumer} COUNT 1 BLOCK ${ms} STREAMS ${keys}`

/** XREAD and XREADGROUP with BLOCK. */
export const blockingContract = (it: Vitest.MethodsNonLive<Redis>): void => {
  it.effect("what is there is answered without waiting", () =>
    Effect.gen(function* () {
      yield* empty
      yield* group("s")
      yield* steps(
        ["XADD s 1-1 n 1", "1-1"],
        [readGroup("a", 0), [["s", [["1-1", ["n", "1"]]]]]],
        [readGroup("a", 0, "s 0"), [["s", [["1-1", ["n", "1"]]]]]],
        ["XREAD BLOCK 0 STREAMS s 0", [["s", [["1-1", ["n", "1"]]]]]]
      )
    })
  )

  it.effect("time up: nil, no earlier than asked, and nothing left behind", () =>
    Effect.gen(function* () {
      yield* empty
      yield* group("s")
      const start = performance.now()
      yield* steps([readGroup("a", 120), null])
      const took = performance.now() - start
      assert.isTrue(took >= 119 && took < 20_000, `took ${took} ms`)
      yield* steps(["XREAD BLOCK 20 STREAMS s none $ $", null])
      yield* blockedReaders(0)
    })
  )

  it.effect("readers of a group are served in the order they came, one entry each", () =>
    Effect.gen(function* () {
      yield* empty
      yield* group("s")
      const first = yield* waitingRead(1, readGroup("a", 60_000))
      const second = yield* waitingRead(2, readGroup("b", 60_000))
      yield* steps(["XADD s 1-1 n 1", "1-1"])
      assert.deepStrictEqual(yield* Fiber.join(first), [["s", [["1-1", ["n", "1"]]]]])
      yield* blockedReaders(1)
      yield* steps(["XADD s 2-1 n 2", "2-1"])
      assert.deepStrictEqual(yield* Fiber.join(second), [["s", [["2-1", ["n", "2"]]]]])
      yield* steps([
        "XPENDING s g",
        [
          2,
          "1-1",
          "2-1",
          [
            ["a", "1"],
            ["b", "1"]
          ]
        ]
      ])
    })
  )

  it.effect("readers without a group all get it; `$` means from now on", () =>
    Effect.gen(function* () {
      yield* empty
      yield* steps(["XADD s 1-1 n 1", "1-1"])
      const fromNow = yield* waitingRead(1, "XREAD BLOCK 60000 STREAMS s $")
      const unborn = yield* waitingRead(2, "XREAD BLOCK 60000 STREAMS none s 0 1-1")
      yield* steps(["XADD s 2-1 n 2", "2-1"])
      const expected = [["s", [["2-1", ["n", "2"]]]]]
      assert.deepStrictEqual(yield* Fiber.join(fromNow), expected)
      assert.deepStrictEqual(yield* Fiber.join(unborn), expected)
    })
  )

  it.effect("a read of several streams is woken by any of them", () =>
    Effect.gen(function* () {
      yield* empty
      yield* group("s")
      yield* group("t")
      const read = yield* waitingRead(1, readGroup("a", 60_000, "s t > >"))
      yield* steps(["XADD t 1-1 n 1", "1-1"])
      assert.deepStrictEqual(yield* Fiber.join(read), [["t", [["1-1", ["n", "1"]]]]])
      yield* blockedReaders(0)
      yield* steps(["XADD s 1-1 n 1", "1-1"], ["XPENDING s g", [0, null, null, null]])
    })
  )

  it.effect("a script's XADD wakes a reader once the script has ended", () =>
    Effect.gen(function* () {
      yield* empty
      yield* group("s")
      yield* group("d")
      yield* steps(["XADD s 1-1 n 1", "1-1"], [readGroup("a", 0), [["s", [["1-1", ["n", "1"]]]]]])
      yield* send("XADD d 9999999999999-0 seed 1")
      yield* send("XGROUP SETID d g $")
      const read = yield* waitingRead(1, readGroup("b", 60_000, "d >"))
      yield* steps([call(Scripts.move, ["s", "d"], ["g", "a", "1-1", "1", "moved", "1"]), 1])
      assert.deepStrictEqual(yield* Fiber.join(read), [["d", [["9999999999999-1", ["moved", "1"]]]]])
    })
  )

  it.effect("an interrupted reader leaves no trace and gets nothing", () =>
    Effect.gen(function* () {
      yield* empty
      yield* group("s")
      const gone = yield* waitingRead(1, readGroup("a", 0))
      const waiting = yield* waitingRead(2, readGroup("b", 60_000))
      yield* Fiber.interrupt(gone)
      yield* blockedReaders(1)
      yield* steps(["XADD s 1-1 n 1", "1-1"])
      assert.deepStrictEqual(yield* Fiber.join(waiting), [["s", [["1-1", ["n", "1"]]]]])
      yield* steps(["XADD s 2-1 n 2", "2-1"], ["XPENDING s g", [1, "1-1", "1-1", [["b", "1"]]]])
      yield* blockedReaders(0)
    })
  )

  for (const [what, line] of [
    ["the group is destroyed", "XGROUP DESTROY s g"],
    ["the stream is deleted", "DEL s"],
    ["the stream is overwritten", "SET s text"],
    ["everything is flushed", "FLUSHALL"]
  ] as const) {
    it.effect(`a reader of a group is told when ${what}`, () =>
      Effect.gen(function* () {
        yield* empty
        yield* group("s")
        const read = yield* waitingRead(1, readGroup("a", 60_000))
        yield* send(line)
        const error = yield* Effect.flip(Fiber.join(read))
        const said = error.cause instanceof Error ? error.cause.message : ""
        // Redis 7.0 says UNBLOCKED where the key is gone; later versions run the command again: NOGROUP or WRONGTYPE.
        assert.match(said, line.startsWith("XGROUP") ? /^NOGROUP / : /^(?:UNBLOCKED|NOGROUP|WRONGTYPE) /)
        yield* blockedReaders(0)
      })
    )
  }

  it.effect("a group's position moved back does not wake, the next entry does", () =>
    Effect.gen(function* () {
      yield* empty
      yield* group("s")
      yield* steps(["XADD s 1-1 n 1", "1-1"], ["XGROUP SETID s g $", "OK"])
      const read = yield* waitingRead(1, readGroup("a", 60_000))
      yield* steps(["XADD s 2-1 n 2", "2-1"])
      assert.deepStrictEqual(yield* Fiber.join(read), [["s", [["2-1", ["n", "2"]]]]])
    })
  )

  it.effect("refusals come at once", () =>
    Effect.andThen(
      empty,
      steps(
        ["SET text v", "OK"],
        [readGroup("a", 0), refused("NOGROUP")],
        [readGroup("a", 0, "text >"), WRONG_TYPE],
        ["XREAD BLOCK -1 STREAMS s 0", refused("ERR timeout is negative")]
      )
    )
  )
}
