/** What ended a command, said on stderr. */
import { Cause, Console, Effect } from "effect"
import { CliError } from "effect/cli"
import { printable, printableLines } from "../domain/text/printable.ts"

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** One plain line (or one a setting) for each thing that went wrong: no stack, no secret, and never nothing. */
export const explain = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.forEach(
    cause.reasons,
    (reason) => {
      if (Cause.isDieReason(reason)) {
        return Console.error(printable(`internal error, please report it: ${messageOf(reason.defect)}`))
      }
      // The command line's own errors were shown already; a signal needs no words.
      return Cause.isFailReason(reason) && !CliError.isCliError(reason.error)
        ? Console.error(printableLines(messageOf(reason.error)))
        : Effect.void
    },
    { discard: true }
  )
