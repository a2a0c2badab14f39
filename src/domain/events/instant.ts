/** The last millisecond that a date can tell, and the first with a minus (ECMA-262). */
const lastMillis = 8.64e15

/** Epoch milliseconds as ISO 8601 in UTC, as people and JSON get it; of a time that no date can tell the bare number. */
export const instant = (millis: number): string =>
  Math.abs(millis) <= lastMillis ? new Date(millis).toISOString() : `${millis} ms since 1970`
