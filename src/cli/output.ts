/** All that commands print: whatever others wrote in it, it is printable, and a line stays one line. */
import { Console, Effect } from "effect"
import { cut, printable, printableJson } from "../domain/text/printable.ts"
import { Screen } from "./screen.ts"

/** Lines on stdout, each printable by itself. */
export const printLines = (lines: ReadonlyArray<string>): Effect.Effect<void> =>
  Console.log(lines.map(printable).join("\n"))

export const printLine = (line: string): Effect.Effect<void> => printLines([line])

/** One line of a list, cut to the terminal's width where there is one. */
export const printRow = (line: string): Effect.Effect<void> =>
  Effect.flatMap(Screen, ({ columns }) =>
    Console.log(columns === undefined ? printable(line) : cut(printable(line), columns))
  )

/** Lines whose text is printable already, and that carry styles of our own. */
export const printStyled = (lines: ReadonlyArray<string>): Effect.Effect<void> => Console.log(lines.join("\n"))

/** A value as JSON: on one line, or indented for people. */
export const printJson = (value: unknown, indent?: number): Effect.Effect<void> =>
  Console.log(printableJson(value, indent))

/** A line on stderr, beside the data. */
export const printAside = (line: string): Effect.Effect<void> => Console.error(printable(line))

/** A line on stderr, on a terminal, in place of the one before; an empty one clears it. */
export const rewriteAside = (line: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`\r\u001b[K${printable(line)}`))

const grouped = new Intl.NumberFormat("en-US")

/** A count as people read it: `1,937`. */
export const counted = (count: number): string => grouped.format(count)

/** A count and what is counted: `1 check`, `2 checks`. */
export const plural = (count: number, one: string, several = `${one}s`): string =>
  `${counted(count)} ${count === 1 ? one : several}`
