/** How long to wait before trying again, and the way to do so for ever. */
import { Duration, Effect, Random, Schedule } from "effect"

/** 50–150 %, so that replicas do not come back in step; `Schedule.jittered` keeps them within 80–120 %. */
const scattered = <A>(schedule: Schedule.Schedule<A>): Schedule.Schedule<A> =>
  Schedule.modifyDelay(schedule, ({ duration }) =>
    Effect.map(Random.next, (chance) => Duration.times(duration, 0.5 + chance))
  )

/** While Redis is away: 100 ms, 200 ms, … 2 s. */
export const redisAway = scattered(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")]))

/** While a consumer group is being created again. */
export const groupAway = scattered(Schedule.spaced("100 millis"))

/** Failures further apart are not of one row. */
const rowEndsAfterMs = 10_000

/**
 * Before a loop is started again: as {@link redisAway}, from the beginning where it ran well for a while. How many
 * failures came before in the row.
 */
export const restarts: Schedule.Schedule<number> = Schedule.fromStep(
  Effect.gen(function* () {
    let step = yield* Schedule.toStep(redisAway)
    let before = 0
    let failedAt = 0
    return Effect.fnUntraced(function* (now: number, input: unknown) {
      if (before > 0 && now - failedAt > rowEndsAfterMs) {
        step = yield* Schedule.toStep(redisAway)
        before = 0
      }
      const [, delay] = yield* step(now, input)
      failedAt = now
      return [before++, delay]
    })
  })
)

/** Fails once as an effect just did, and is that effect from then on. */
export const afterFailure = <A, E>(effect: Effect.Effect<A, E>, failure: E): Effect.Effect<A, E> => {
  let attempt: Effect.Effect<A, E> = Effect.fail(failure)
  return Effect.suspend(() => {
    const next = attempt
    attempt = effect
    return next
  })
}

/**
 * Retries an effect by a schedule that does not end. What succeeds at once, as nearly everything does, pays nothing for
 * it: an `Effect.retry` around each would take 5 µs more.
 */
export const retryForever = <A, E, Output>(
  effect: Effect.Effect<A, E>,
  schedule: Schedule.Schedule<Output, E>,
  onFailure: (error: E) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<A> =>
  Effect.catch(effect, (failure) =>
    afterFailure(effect, failure).pipe(Effect.tapError(onFailure), Effect.retry(schedule), Effect.orDie)
  )
