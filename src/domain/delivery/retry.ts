import { Cause, Duration, Effect, Exit, Schedule } from "effect"
import type { Failed } from "./attempt.ts"

/**
 * The one definition of the retry schedule: 5 s, 15 s, 45 s, then no more (contract section 5). It can be used as any
 * Effect `Schedule`; the collector replays it to the attempt count stored with an entry, so a delay survives a restart.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { retrySchedule } from "job-collector"
 *
 * export const patiently = <A, E>(request: Effect.Effect<A, E>) => Effect.retry(request, retrySchedule)
 * ```
 */
export const retrySchedule = Schedule.exponential("5 seconds", 3).pipe(Schedule.upTo({ times: 3 }))

/**
 * When a failed event is tried again: any schedule, its input the failed attempt. It is stepped from its start as often as the
 * event has failed, each step as long after the one before as that one's delay, so that no state of it is kept anywhere.
 */
export type RetrySchedule = Schedule.Schedule<unknown, Failed>

/** No event is tried more often than this, whatever its schedule says. */
export const mostAttempts = 1_000

/** The longest delay: a schedule that asks for more is at its end. */
const longestMs = Duration.toMillis(Duration.days(365))

/** A schedule's delay after the failed attempt `attempts`, in milliseconds; undefined where no other follows. */
export const retryDelay = Effect.fnUntraced(function* (schedule: RetrySchedule, attempts: number, failure: Failed) {
  if (attempts >= mostAttempts) return undefined
  const step = yield* Schedule.toStep(schedule)
  let elapsed = 0
  for (let attempt = 1; ; attempt++) {
    const next = yield* Effect.exit(step(elapsed, failure))
    if (Exit.isFailure(next)) return Cause.hasDies(next.cause) ? yield* Effect.die(Cause.squash(next.cause)) : undefined
    const delay = Math.ceil(Duration.toMillis(next.value[1]))
    if (delay > longestMs) return undefined
    if (attempt === attempts) return delay
    elapsed += delay
  }
})

const replay = Effect.gen(function* () {
  const failure: Failed = {
    _tag: "Failed",
    errorCode: "NETWORK",
    errorMessage: "",
    status: undefined,
    retryAfterMs: undefined
  }
  const delays: Array<number> = []
  for (;;) {
    const delay = yield* retryDelay(retrySchedule, delays.length + 1, failure)
    if (delay === undefined) return delays
    delays.push(delay)
  }
})

/** The schedule's delays in milliseconds, in order: `retryDelays[k - 1]` follows the failed attempt k. */
export const retryDelays: ReadonlyArray<number> = Effect.runSync(replay)
