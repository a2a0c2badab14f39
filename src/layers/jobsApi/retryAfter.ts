import { Duration, Result } from "effect"
import { Headers } from "effect/http"

/** The longest wait that a `Retry-After` can ask for (contract section 5). */
const MAX_RETRY_AFTER_MS = 5 * 60 * 1_000

/** Longer than any number of seconds or date that is meant: a client may bring whatever a server sends. */
const longestField = 64

/**
 * How long a `Retry-After` field (RFC 9110 section 10.2.3) asks to wait, in milliseconds, at most 5 minutes: a number of
 * seconds, or an HTTP-date counted from `nowMs`. Undefined where there is none, where it is neither, or where it lies in
 * the past.
 */
export const retryAfterMs = (field: string | undefined, nowMs: number): number | undefined => {
  const asked =
    field === undefined || field.length > longestField
      ? undefined
      : Result.getOrUndefined(Headers.parseRetryAfter(field))
  if (asked === undefined || (asked._tag === "DateTime" && asked.dateTime.epochMilliseconds < nowMs)) return undefined
  return Math.min(Duration.toMillis(Headers.retryAfterDelay(asked, nowMs)), MAX_RETRY_AFTER_MS)
}
