/** Help that fits the screen: wrapped to its width, the filters that many commands share on a few lines. */
import { Option } from "effect"
import { CliOutput, type HelpDoc } from "effect/cli"
import { filterNames } from "./filters.ts"
import { bold, type Screen } from "./screen.ts"

/** Lines of more cells than this are hard to read. */
const widest = 100

/** Text in lines of at most so many cells, broken between words. */
const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(/[ \n]+/)) {
    const longer = line === "" ? word : `${line} ${word}`
    if (line !== "" && CliOutput.displayWidth(longer) > width) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return line === "" ? lines : [...lines, line]
}

const indented = (text: string, width: number): ReadonlyArray<string> =>
  wrap(text, width - 2).map((line) => `  ${line.replaceAll("\u00a0", " ")}`)

/** Terms and what they mean, in two columns. */
const definitions = (
  rows: ReadonlyArray<readonly [term: string, meaning: string]>,
  width: number
): ReadonlyArray<string> => {
  const term = Math.min(26, Math.max(0, ...rows.map(([text]) => text.length)))
  return rows.flatMap(([text, meaning]) => {
    const [first = "", ...more] = wrap(meaning, width - term - 4)
    const rest = more.map((line) => `${" ".repeat(term + 4)}${line}`)
    return text.length > term
      ? [`  ${text}`, `${" ".repeat(term + 4)}${first}`, ...rest]
      : [`  ${text.padEnd(term)}  ${first}`, ...rest]
  })
}

const flagText = ({ aliases, name, type }: HelpDoc.FlagDoc): string =>
  [...aliases, `--${name}`].join(", ") + (type === "boolean" ? "" : ` <${type}>`)

const section = (title: string, lines: ReadonlyArray<string>, screen: Screen): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", bold(title, screen), ...lines]

const filterRule =
  "Values of one filter are alternatives; different filters must all hold. A time is ISO 8601 or an age (2h)."

/** A command's help, in lines for a screen. */
export const helpLines = (doc: HelpDoc.HelpDoc, screen: Screen): ReadonlyArray<string> => {
  const width = Math.min(widest, screen.columns ?? 80)
  const isFilter = ({ name }: HelpDoc.FlagDoc) => filterNames.has(name)
  const filters = doc.flags.filter(isFilter)
  const isRoot = (doc.commandPath?.length ?? 1) <= 1
  const rows = (flags: ReadonlyArray<HelpDoc.FlagDoc>) =>
    definitions(
      flags.map((flag) => [flagText(flag), Option.getOrElse(flag.description, () => "")]),
      width
    )
  return [
    ...wrap(doc.description, width),
    ...section(
      "USAGE",
      wrap(doc.usage, width - 4).map((line, i) => (i === 0 ? `  ${line}` : `    ${line}`)),
      screen
    ),
    ...section(
      "ARGUMENTS",
      definitions(
        (doc.args ?? []).map(({ description, name, variadic }) => [
          variadic ? `${name}...` : name,
          Option.getOrElse(description, () => "")
        ]),
        width
      ),
      screen
    ),
    ...section(
      "COMMANDS",
      definitions(
        (doc.subcommands ?? []).flatMap(({ commands }) =>
          commands.map(({ description, name, shortDescription }) => [name, shortDescription ?? description] as const)
        ),
        width
      ),
      screen
    ),
    ...(filters.length > 3
      ? section(
          "FILTERS",
          [
            ...indented(filters.map(({ name, type }) => `--${name}\u00a0<${type}>`).join(" "), width),
            ...indented(filterRule, width)
          ],
          screen
        )
      : []),
    ...section("FLAGS", rows(doc.flags.filter((flag) => filters.length <= 3 || !isFilter(flag))), screen),
    // Every command has them; only the first page of the help says so.
    ...(isRoot
      ? section(
          "GLOBAL FLAGS",
          indented((doc.globalFlags ?? []).map(({ name }) => `--${name}`).join(" "), width),
          screen
        )
      : [])
  ]
}
