/** How loops wait out a Redis that is away: typed errors are no reason to give up, defects are (see `supervise`). */
import { Clock, Duration, Effect, Random } from "effect"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { RedisAvailability } from "./redisAvailability.ts"

const firstDelay = 100
const longestDelay = 2_000

/** Exponential, with jitter so that replicas do not come back in step: 50–150 % of 100 ms, 200 ms, … 2 s. */
export const backoff = (failures: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (chance) =>
    Effect.sleep(Duration.millis(Math.min(longestDelay, firstDelay * 2 ** Math.min(failures, 10)) * (0.5 + chance)))
  )

/**
 * Says that Redis failed: once when it begins and then ever more rarely, so that an outage does not flood the log. All
 * that fails in one outage is one thing; other failures are told apart by what they kept from being done.
 */
const report = (availability: RedisAvailability, what: string, error: EventStreamsError): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const times = availability.logThrottle.ongoing(error.isOutage ? "outage" : `${error.reason._tag} ${what}`, now)
    return (times > 0 ? Effect.logWarning("redis.failed") : Effect.logDebug("redis.failed")).pipe(
      Effect.annotateLogs({ doing: what, problem: error.message, times: Math.max(1, times) })
    )
  })

/** Takes in a failure of Redis: what the link knows, and the log. */
export const noteFailure = (
  availability: RedisAvailability,
  what: string,
  error: EventStreamsError
): Effect.Effect<void> =>
  Effect.andThen(error.isOutage ? availability.failed : Effect.void, report(availability, what, error))

const waitOut = (
  availability: RedisAvailability,
  what: string,
  error: EventStreamsError,
  failures: number
): Effect.Effect<void> => Effect.andThen(noteFailure(availability, what, error), backoff(failures))

/** Repeats an effect until Redis has done it. It must be safe to send twice. */
export const retryUntilDone = <A>(
  availability: RedisAvailability,
  what: string,
  effect: Effect.Effect<A, EventStreamsError>
): Effect.Effect<A> => {
  const attempt = (failures: number): Effect.Effect<A> =>
    Effect.catch(effect, (error) => Effect.andThen(waitOut(availability, what, error, failures), attempt(failures + 1)))
  return attempt(0)
}

/** Repeats an effect until Redis has done it or refuses this user, which waiting does not mend. */
export const retryUntilDoneOrRefused = <A>(
  availability: RedisAvailability,
  what: string,
  effect: Effect.Effect<A, EventStreamsError>
): Effect.Effect<A, EventStreamsError> => {
  const attempt = (failures: number): Effect.Effect<A, EventStreamsError> =>
    Effect.catchIf(
      effect,
      (error) => error.reason._tag !== "Refused",
      (error) => Effect.andThen(waitOut(availability, what, error, failures), attempt(failures + 1))
    )
  return attempt(0)
}
