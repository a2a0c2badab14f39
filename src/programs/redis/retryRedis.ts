/** How loops wait out a Redis that is away: typed errors are no reason to give up, defects are (see `supervise`). */
import { Effect } from "effect"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { monotonicMillis } from "./monotonic.ts"
import type { RedisAvailability } from "./redisAvailability.ts"
import { afterFailure, redisAway, retryForever } from "./schedules.ts"

/**
 * Says that Redis failed: once when it begins and then ever more rarely, so that an outage does not flood the log. All
 * that fails in one outage is one thing; other failures are told apart by what they kept from being done.
 */
const report = (availability: RedisAvailability, what: string, error: EventStreamsError): Effect.Effect<void> =>
  Effect.flatMap(monotonicMillis, (now) => {
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

/** Repeats an effect until Redis has done it. It must be safe to send twice. */
export const retryUntilDone = <A>(
  availability: RedisAvailability,
  what: string,
  effect: Effect.Effect<A, EventStreamsError>
): Effect.Effect<A> => retryForever(effect, redisAway, (error) => noteFailure(availability, what, error))

/**
 * Repeats an effect until Redis has done it, or refuses what is asked: somebody has to change something first, and
 * whoever waits for it would hold up everybody else.
 */
export const retryUntilAnswered = <A>(
  availability: RedisAvailability,
  what: string,
  effect: Effect.Effect<A, EventStreamsError>
): Effect.Effect<A, EventStreamsError> =>
  Effect.catch(effect, (failure) =>
    failure.isRefusal
      ? Effect.fail(failure)
      : afterFailure(effect, failure).pipe(
          Effect.tapError((error) => (error.isRefusal ? Effect.void : noteFailure(availability, what, error))),
          Effect.retry({ schedule: redisAway, while: (error) => !error.isRefusal })
        )
  )

/** Repeats an effect until Redis has done it or refuses this user, which waiting does not mend. */
export const retryUntilDoneOrRefused = <A>(
  availability: RedisAvailability,
  what: string,
  effect: Effect.Effect<A, EventStreamsError>
): Effect.Effect<A, EventStreamsError> =>
  effect.pipe(
    Effect.tapError((error) =>
      error.reason._tag === "Refused" ? Effect.void : noteFailure(availability, what, error)
    ),
    Effect.retry({ schedule: redisAway, while: ({ reason }) => reason._tag !== "Refused" })
  )
