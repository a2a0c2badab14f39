/** How loops wait out a Redis that is away: typed errors are no reason to give up, defects are (see `supervise`). */
import { Duration, Effect, Random } from "effect"
import type { RedisError } from "../services/Redis.ts"
import { redisFailure, redisFailureMessage } from "../services/RedisFailure.ts"
import type { Link } from "./state/link.ts"

const firstDelay = 100
const longestDelay = 2_000

/** Exponential, with jitter so that replicas do not come back in step: 50–150 % of 100 ms, 200 ms, … 2 s. */
export const backoff = (failures: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (chance) =>
    Effect.sleep(Duration.millis(Math.min(longestDelay, firstDelay * 2 ** Math.min(failures, 10)) * (0.5 + chance)))
  )

/** Says that Redis failed: once when it begins and then ever more rarely, so that an outage does not flood the log. */
export const report = (what: string, error: RedisError, failures: number): Effect.Effect<void> =>
  Number.isInteger(Math.log2(failures + 1))
    ? Effect.logWarning("redis.failed").pipe(Effect.annotateLogs({ doing: what, problem: redisFailureMessage(error) }))
    : Effect.logDebug("redis.failed").pipe(Effect.annotateLogs({ doing: what, problem: redisFailureMessage(error) }))

/** Notes a failure that says Redis is away; any other (a wrong type, say) is no outage. */
export const noteFailure = (link: Link, error: RedisError): Effect.Effect<void> => {
  const kind = redisFailure(error)
  return kind === "unavailable" || kind === "loading" || kind === "read-only" ? link.failed : Effect.void
}

/** Repeats an effect until Redis has done it. It must be safe to send twice. */
export const untilDone = <A>(link: Link, what: string, effect: Effect.Effect<A, RedisError>): Effect.Effect<A> => {
  const attempt = (failures: number): Effect.Effect<A> =>
    Effect.catch(effect, (error) =>
      Effect.flatMap(noteFailure(link, error), () =>
        report(what, error, failures).pipe(Effect.andThen(backoff(failures)), Effect.andThen(attempt(failures + 1)))
      )
    )
  return attempt(0)
}
