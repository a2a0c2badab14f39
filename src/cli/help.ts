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
  "An id is an entry's or an event's. Values of one filter are alternatives; different filters must all hold. A time is " +
  "ISO 8601 or an age (2h)."

type Block = ReadonlyArray<string>

const stacked = (blocks: ReadonlyArray<Block>): Block =>
  blocks.flatMap((block, at) => (at === 0 ? block : ["", ...block]))

/** Blocks in two columns of which the first has so many cells, in their order and as evenly as it goes. */
const inColumns = (blocks: ReadonlyArray<Block>, cells: number): Block => {
  const pairs = blocks.map((_, at) => [stacked(blocks.slice(0, at + 1)), stacked(blocks.slice(at + 1))] as const)
  const height = ([left, right]: readonly [Block, Block]) => Math.max(left.length, right.length)
  const [left, right] = pairs.reduce(
    (least, pair) => (height(pair) < height(least) ? pair : least),
    [[], stacked(blocks)]
  )
  return Array.from({ length: height([left, right]) }, (_, at) => {
    const line = left[at] ?? ""
    const gap = " ".repeat(cells - CliOutput.displayWidth(line))
    return right[at] === undefined || right[at] === "" ? line : `${line}${gap}${right[at]}`
  })
}

/** A command's subcommands: in one list, or in their groups, side by side where there is room. */
const subcommandLines = (
  groups: NonNullable<HelpDoc.HelpDoc["subcommands"]>,
  width: number,
  screen: Screen
): ReadonlyArray<string> => {
  const columns = groups.length > 1 && width >= 80 ? 2 : 1
  const cells = Math.floor((width + 2) / columns)
  const blocks = groups.map(({ commands, group }) => [
    bold((group ?? "commands").toUpperCase(), screen),
    ...definitions(
      commands.map(({ description, name, shortDescription }) => [name, shortDescription ?? description]),
      cells - 2
    )
  ])
  if (blocks.length === 0) return []
  return ["", ...(columns === 1 ? stacked(blocks) : inColumns(blocks, cells))]
}

/** A command's help, in lines for a screen. */
export const helpLines = (doc: HelpDoc.HelpDoc, screen: Screen): ReadonlyArray<string> => {
  const width = Math.min(widest, screen.columns ?? 80)
  const isFilter = ({ name }: HelpDoc.FlagDoc | HelpDoc.ArgDoc) => filterNames.has(name)
  const flagged = doc.flags.filter(isFilter)
  // A few of them are flags like others.
  const filters = flagged.length > 3 ? flagged : []
  const args = doc.args ?? []
  const named = filters.length > 0 ? args.filter(isFilter) : []
  const isRoot = (doc.commandPath?.length ?? 1) <= 1
  const argText = ({ name, variadic }: HelpDoc.ArgDoc) => (variadic ? `${name}...` : name)
  return [
    ...wrap(doc.description, width),
    "",
    ...wrap(doc.usage, width - 11).map((line, i) =>
      i === 0 ? `${bold("USAGE", screen)}  ${line}` : `           ${line}`
    ),
    ...section(
      "ARGUMENTS",
      definitions(
        args
          .filter((arg) => !named.includes(arg))
          .map((arg) => [argText(arg), Option.getOrElse(arg.description, () => "")]),
        width
      ),
      screen
    ),
    ...subcommandLines(doc.subcommands ?? [], width, screen),
    ...section(
      "FILTERS",
      filters.length === 0
        ? []
        : [
            ...indented(
              [...named.map(argText), ...filters.map(({ name, type }) => `--${name}\u00a0<${type}>`)].join(" "),
              width
            ),
            ...indented(filterRule, width)
          ],
      screen
    ),
    ...section(
      "FLAGS",
      definitions(
        doc.flags
          .filter((flag) => !filters.includes(flag))
          .map((flag) => [flagText(flag), Option.getOrElse(flag.description, () => "")]),
        width
      ),
      screen
    ),
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
