/** How a command line is answered that asks for help, or that cannot be meant: a line each on stderr, and where the help is. */
import { Console, Effect } from "effect"
import { CliOutput } from "effect/cli"
import { printable } from "../domain/text/printable.ts"
import { helpLines } from "./help.ts"
import { printStyled } from "./output.ts"
import { Screen } from "./screen.ts"

/** Help is printed where it is asked for, not before the one line that matters. */
export const layer = CliOutput.layerPresenter({
  present: (event) => {
    if (event._tag === "Help") {
      return Effect.flatMap(Screen, (screen) => printStyled(helpLines(event.helpDoc, screen)))
    }
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    const command = event.commandPath.join(" ")
    return Effect.forEach(
      event.errors,
      ({ message }) => Console.error(`${printable(message.replace(/\s+/g, " "))} (see \`${command} --help\`)`),
      { discard: true }
    )
  }
})
