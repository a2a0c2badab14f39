/** Flags and arguments that several commands have. */
import { Option } from "effect"
import { Argument, Flag } from "effect/cli"
import { typedDurationOf } from "../domain/options/duration.ts"

export const json = Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))

const span = (text: string) => Option.fromUndefinedOr(typedDurationOf(text))

/** Without quotes only its number arrives as the duration. */
const expected = () => 'a duration above 0 with its unit, such as 30m, 2h or "30 minutes" (in quotes)'

/** A flag that takes a duration. */
export const DurationFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.filterMap(span, expected), Flag.withDescription(description))

/** An argument that takes a duration. */
export const DurationArgument = (name: string, description: string) =>
  Argument.String(name).pipe(Argument.filterMap(span, expected), Argument.withDescription(description))

/** A flag that takes a whole number of at least 1. */
export const CountFlag = (name: string, description: string) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (count) => count >= 1,
      () => "a whole number of at least 1"
    ),
    Flag.withDescription(description)
  )

/** A flag that takes text, undefined where it is not given. */
export const TextFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))
