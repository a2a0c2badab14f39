import { Duration, Result } from "effect"
import * as Headers from "effect/http/Headers"

/** The longest wait that a `Retry-After` can ask for (contract section 5). */
const MAX_RETRY_AFTER_MS = 5 * 60 * 1_000

/** No date is longer, and a longer number asks for more than is granted; the parser takes its time for such a field. */
const longestField = 64

/**
 * How long a `Retry-After` field (RFC 9110 section 10.2.3) asks to wait, in milliseconds, at most 5 minutes: a number of
 * seconds, or an HTTP-date counted from `nowMs`. Undefined where there is none, where it is neither, or where it lies in
 * the past.
 */
export const retryAfterMs = (field: string | undefined, nowMs: number): number | undefined => {
  if (field === undefined) return undefined
  if (field.length > longestField) return /^\d+$/.test(field) ? MAX_RETRY_AFTER_MS : undefined
  const asked = Result.getOrUndefined(Headers.parseRetryAfter(field))
  if (asked === undefined || (asked._tag === "DateTime" && asked.dateTime.epochMilliseconds < nowMs)) return undefined
  return Math.min(Duration.toMillis(Headers.retryAfterDelay(asked, nowMs)), MAX_RETRY_AFTER_MS)
}
