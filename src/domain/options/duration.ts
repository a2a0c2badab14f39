import { Duration, Option, Schema } from "effect"

const decode = Schema.decodeOption(Schema.DurationFromString)

/** A duration as people write it, such as `60 seconds`; undefined if it is not one, is not finite, or is not above 0. */
export const durationOf = (text: string): Duration.Duration | undefined =>
  Option.getOrUndefined(Option.filter(decode(text), (it) => Duration.isFinite(it) && Duration.toMillis(it) > 0))

const units: Readonly<Record<string, string>> = {
  ms: "millis",
  s: "seconds",
  m: "minutes",
  h: "hours",
  d: "days",
  w: "weeks"
}

/** A duration as people type it at a prompt: `2h` as well as `2 hours`. */
export const typedDurationOf = (text: string): Duration.Duration | undefined => {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(ms|[smhdw])$/.exec(text) ?? []
  return durationOf(amount === undefined ? text : `${amount} ${units[unit]}`)
}
