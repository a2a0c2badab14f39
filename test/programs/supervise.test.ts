import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Logger, Metric } from "effect"
import { Heartbeats } from "../../src/programs/supervision/heartbeats.ts"
import { makeSupervisor, TooManyDefects } from "../../src/programs/supervision/supervise.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import { fixedChance } from "../support/fixed-chance.ts"
import { travel } from "../support/time-machine.ts"

const restartsOf = (loop: string) => Effect.map(Metric.value(Metrics.fiberRestarts(loop)), ({ count }) => count)

const quiet = Effect.provide(Logger.layer([]))

/** A loop that dies `lifeMs` after each start, and when it was started. */
const mortal = (lifeMs: number) => {
  const starts: Array<number> = []
  const loop = Effect.gen(function* () {
    starts.push(yield* Clock.currentTimeMillis)
    yield* Effect.sleep(lifeMs)
    return yield* Effect.die(new Error("beyond all expectation"))
  })
  return { starts, loop }
}

describe("a supervised loop", () => {
  it.effect("that dies is started again, ever later, and each time is counted", () =>
    Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const { loop, starts } = mortal(0)
      yield* Effect.forkChild(supervisor.watch("dies-at-once", loop))
      yield* travel(7_200)
      assert.deepStrictEqual(starts, [0, 100, 300, 700, 1_500, 3_100, 5_100, 7_100])
      assert.strictEqual(yield* restartsOf("dies-at-once"), starts.length)
    }).pipe(fixedChance(0.5), quiet)
  )

  it.effect("that ran well before it died is started again as if it were the first time", () =>
    Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const { loop, starts } = mortal(20_000)
      yield* Effect.forkChild(supervisor.watch("dies-late", loop))
      yield* travel(70_000)
      assert.deepStrictEqual(starts, [0, 20_100, 40_200, 60_300])
    }).pipe(fixedChance(0.5), quiet)
  )

  it.effect("that fails is not started again: its failure is told as it stands", () =>
    Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const exit = yield* Effect.exit(supervisor.watch("fails", Effect.fail("the name is lost")))
      assert.deepStrictEqual(exit, Exit.fail("the name is lost"))
      assert.strictEqual(yield* restartsOf("fails"), 0)
    }).pipe(quiet)
  )

  it.effect("that is interrupted ends, also while it waits to be started again", () =>
    Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const { loop, starts } = mortal(0)
      const running = yield* Effect.forkChild(supervisor.watch("ends", Effect.never))
      const waiting = yield* Effect.forkChild(supervisor.watch("ends-waiting", loop))
      yield* travel(50)
      yield* Fiber.interruptAll([running, waiting])
      yield* travel(60_000)
      assert.strictEqual(yield* restartsOf("ends"), 0)
      assert.deepStrictEqual(starts, [0])
    }).pipe(fixedChance(0.5), quiet)
  )
})

describe("too many defects", () => {
  it.effect("five within a minute, of whatever loops, are the end", () =>
    Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const end = yield* Effect.forkChild(Effect.flip(supervisor.exhausted))
      for (const loop of ["one", "two"]) {
        yield* Effect.forkChild(supervisor.watch(loop, mortal(20_000).loop))
      }
      yield* travel(41_000)
      assert.isUndefined(end.pollUnsafe())
      yield* supervisor.defect("deliver", yield* Effect.flip(Effect.sandbox(Effect.die("a bare word"))))
      yield* travel(0)
      const error = yield* Fiber.join(end)
      assert.instanceOf(error, TooManyDefects)
      assert.deepStrictEqual([error.loop, error.problem], ["deliver", "a bare word"])
      assert.strictEqual(error.message, "Too many internal errors within a minute, the last in deliver: a bare word")
    }).pipe(fixedChance(0.5), quiet)
  )

  it.effect("one every quarter of a minute is none", () =>
    Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const end = yield* Effect.forkChild(supervisor.exhausted)
      const { loop, starts } = mortal(15_000)
      yield* Effect.forkChild(supervisor.watch("now-and-then", loop))
      yield* travel(10 * 60_000)
      assert.isAbove(starts.length, 30)
      assert.isUndefined(end.pollUnsafe())
    }).pipe(fixedChance(0.5), quiet)
  )
})
