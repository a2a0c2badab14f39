import { Duration, Effect, Exit, Schedule } from "effect"

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

const replay = Effect.gen(function* () {
  const step = yield* Schedule.toStep(retrySchedule)
  const delays: Array<number> = []
  let elapsed = 0
  for (;;) {
    const next = yield* Effect.exit(step(elapsed, undefined))
    if (Exit.isFailure(next)) return delays
    const delay = Duration.toMillis(next.value[1])
    delays.push(delay)
    elapsed += delay
  }
})

/** The schedule's delays in milliseconds, in order: `retryDelays[k - 1]` follows the failed attempt k. */
export const retryDelays: ReadonlyArray<number> = Effect.runSync(replay)

/** Attempts in all: the first, and one for each delay. */
export const maxAttempts = retryDelays.length + 1
