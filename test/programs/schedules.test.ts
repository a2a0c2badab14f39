import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Schedule } from "effect"
import { redisAway, restarts, retryForever } from "../../src/programs/redis/schedules.ts"
import { fixedChance } from "../support/fixed-chance.ts"
import { travel } from "../support/time-machine.ts"

/** The first delays of a schedule, in milliseconds; `pauses` are how long what is retried ran before each failure. */
const delaysOf = <Output>(schedule: Schedule.Schedule<Output>, pauses: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(schedule)
    let now = 0
    return yield* Effect.forEach(pauses, (pause) =>
      Effect.gen(function* () {
        now += pause
        const [, delay] = yield* step(now, undefined)
        now += Duration.toMillis(delay)
        return Duration.toMillis(delay)
      })
    )
  })

const atOnce = (times: number) => Array.from({ length: times }, () => 0)

describe("while Redis is away", () => {
  const doubling = [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]

  it.effect("the wait doubles from 100 ms up to 2 s", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* delaysOf(redisAway, atOnce(8)), doubling)
    }).pipe(fixedChance(0.5))
  )

  it.effect("replicas wait from half to one and a half of it", () =>
    Effect.gen(function* () {
      const least = yield* fixedChance(0)(delaysOf(redisAway, atOnce(8)))
      const most = yield* fixedChance(1)(delaysOf(redisAway, atOnce(8)))
      assert.deepStrictEqual(
        [least, most],
        [doubling.map((delay) => delay * 0.5), doubling.map((delay) => delay * 1.5)]
      )
    })
  )

  it.effect("it stays at that for a month", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* delaysOf(redisAway, atOnce(2_000))).at(-1), 2_000)
    }).pipe(fixedChance(0.5))
  )
})

describe("before a loop is started again", () => {
  it.effect("the wait grows, and begins anew after a run that went well", () =>
    Effect.gen(function* () {
      const delays = yield* delaysOf(restarts, [60_000, 0, 9_000, 0, 11_000, 0, 0])
      assert.deepStrictEqual(delays, [100, 200, 400, 800, 100, 200, 400])
    }).pipe(fixedChance(0.5))
  )

  it.effect("it is known how many failures came before in the row", () =>
    Effect.gen(function* () {
      const step = yield* Schedule.toStep(restarts)
      const outputs = yield* Effect.forEach([0, 1, 2, 20_000, 20_001], (now) => step(now, undefined))
      assert.deepStrictEqual(
        outputs.map(([before]) => before),
        [0, 1, 2, 0, 1]
      )
    })
  )
})

describe("retrying for ever", () => {
  it.effect("every failure is told, the first too, and nothing is run more often than that", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const runs: Array<number> = []
      const work = Effect.gen(function* () {
        runs.push(yield* Clock.currentTimeMillis)
        if (runs.length < 4) return yield* Effect.fail(`failure ${runs.length}`)
        return "done"
      })
      const note = (error: string) => Effect.sync(() => void told.push(error))
      const fiber = yield* Effect.forkChild(retryForever(work, redisAway, note))
      yield* travel(10_000)
      assert.deepStrictEqual(fiber.pollUnsafe()?._tag, "Success")
      assert.deepStrictEqual(told, ["failure 1", "failure 2", "failure 3"])
      assert.deepStrictEqual(runs, [0, 100, 300, 700])
    }).pipe(fixedChance(0.5))
  )
})
