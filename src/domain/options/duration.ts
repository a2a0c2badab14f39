import { Duration, Option, Schema } from "effect"

const decode = Schema.decodeOption(Schema.DurationFromString)

/** A duration as people write it, such as `60 seconds`; undefined where it is none, or not finite and above 0. */
export const durationOf = (text: string): Duration.Duration | undefined =>
  Option.getOrUndefined(Option.filter(decode(text), (it) => Duration.isFinite(it) && Duration.toMillis(it) > 0))
