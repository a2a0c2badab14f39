/** A point in time as people give it: an instant, or how long ago it was. */
import { Duration } from "effect"
import { typedDurationOf } from "./duration.ts"

const isoTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/

export const pointInTimeRule = 'an ISO 8601 time such as 2026-01-31T22:40:00Z, or an age such as 2h or "2 hours"'

/** In epoch milliseconds, never before the epoch; undefined where the text is neither. */
export const pointInTime = (text: string, now: number): number | undefined => {
  const millis = isoTime.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(millis)) return Math.max(0, millis)
  const age = typedDurationOf(text)
  return age === undefined ? undefined : Math.max(0, now - Duration.toMillis(age))
}
