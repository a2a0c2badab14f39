import { DateTime } from "effect"

/** Epoch milliseconds as ISO 8601 in UTC, as people and JSON get it. */
export const instant = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))
