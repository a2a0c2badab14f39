/** Flags that several commands have. */
import { Duration, Schema } from "effect"
import { Flag } from "effect/cli"

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

/** A duration as in settings, finite and above 0. */
export const Span = Schema.DurationFromString.check(
  Schema.makeFilter((duration: Duration.Duration) => Duration.isFinite(duration) && Duration.toMillis(duration) > 0, {
    message: 'Expected a duration such as "30 minutes"'
  })
)

/** A flag that takes a {@link Span}. */
export const DurationFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withSchema(Span), Flag.withDescription(description))
