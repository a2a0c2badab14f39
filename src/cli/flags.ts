/** Flags and arguments that several commands have. */
import { Option } from "effect"
import { Argument, Flag } from "effect/cli"
import { durationOf } from "../domain/options/duration.ts"

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

const span = (text: string) => Option.fromUndefinedOr(durationOf(text))

/** Without quotes only its number arrives as the duration. */
const expected = () => 'a duration with its unit, in quotes, such as "30 minutes"'

/** A flag that takes a duration as in settings. */
export const DurationFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.filterMap(span, expected), Flag.withDescription(description))

/** An argument that takes a duration as in settings. */
export const DurationArgument = (name: string, description: string) =>
  Argument.String(name).pipe(Argument.filterMap(span, expected), Argument.withDescription(description))
