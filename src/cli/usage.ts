/** What a command line that cannot be meant is answered with: a line each on stderr, and where the help is. */
import { Console, Effect } from "effect"
import { CliOutput } from "effect/cli"
import { printable } from "../domain/text/printable.ts"

/** Help is printed where it is asked for, not before the one line that matters. */
export const layer = CliOutput.layerPresenter({
  present: (event) => {
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    const command = event.commandPath.join(" ")
    return Effect.forEach(
      event.errors,
      ({ message }) => Console.error(`${printable(message.replace(/\s+/g, " "))} (see \`${command} --help\`)`),
      { discard: true }
    )
  }
})
