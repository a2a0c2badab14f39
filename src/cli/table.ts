/** Tables that fit the terminal: a header, columns as wide as what stands in them, and the last one cut. */
import { Effect } from "effect"
import { CliOutput } from "effect/cli"
import { printable } from "../domain/text/printable.ts"
import { printStyled } from "./output.ts"
import { bold, Screen } from "./screen.ts"

export interface Column<A> {
  readonly title: string
  readonly cell: (item: A) => string
  /** The widest it is made, in cells; by default as wide as its contents. */
  readonly most?: number
  readonly right?: boolean
  /** Left out first where the terminal is too narrow, the highest first. */
  readonly optional?: number
  readonly colour?: (text: string, screen: Screen) => string
}

const gap = "  "

const segmenter = new Intl.Segmenter()

/** At most so many cells of a terminal; where there were more, an ellipsis is the last. */
const cutCells = (text: string, most: number): string => {
  // No character is wider than its units: what is short enough needs no measuring.
  if (text.length <= most && /^[\u0020-\u007e]*$/.test(text)) return text
  if (text.length <= most * 8 && CliOutput.displayWidth(text) <= most) return text
  let kept = ""
  let width = 0
  for (const { segment } of segmenter.segment(text.slice(0, most * 8))) {
    const next = width + CliOutput.displayWidth(segment)
    if (next > most - 1) break
    kept += segment
    width = next
  }
  return `${kept}…`
}

const padded = (text: string, width: number, right: boolean | undefined): string => {
  const blanks = " ".repeat(Math.max(0, width - CliOutput.displayWidth(text)))
  return right === true ? blanks + text : text + blanks
}

/** So much of a cell is looked at: what others wrote may be of megabytes. */
const mostOfCell = 2_048

interface Laid<A> {
  readonly column: Column<A>
  readonly width: number
}

/** Which columns there is room for, and how wide each is. The last takes what is left. */
const layOut = <A>(
  columns: ReadonlyArray<Column<A>>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  room: number | undefined
): ReadonlyArray<Laid<A> & { readonly at: number }> => {
  let laid = columns.map((column, at) => {
    const widest = rows.reduce(
      (most, row) => Math.max(most, CliOutput.displayWidth(row[at] ?? "")),
      column.title.length
    )
    return { column, at, width: room === undefined ? widest : Math.min(widest, column.most ?? widest) }
  })
  if (room === undefined) return laid
  const widthOf = (all: typeof laid) =>
    all.reduce(
      (sum, { width }, i) => sum + (i === all.length - 1 ? Math.min(width, leastOfLast) : width) + gap.length,
      -gap.length
    )
  while (widthOf(laid) > room) {
    const droppable = laid.filter(({ column }) => column.optional !== undefined)
    if (droppable.length === 0) break
    const first = droppable.reduce((a, b) => ((b.column.optional ?? 0) > (a.column.optional ?? 0) ? b : a))
    laid = laid.filter((candidate) => candidate !== first)
  }
  const before = laid.slice(0, -1).reduce((sum, { width }) => sum + width + gap.length, 0)
  return laid.map((it, i) =>
    i === laid.length - 1 ? { ...it, width: Math.max(1, Math.min(it.width, room - before)) } : it
  )
}

/** What the last column is given before any other is left out. */
const leastOfLast = 24

/** The lines of a table, its header first. */
export const tableLines = <A>(
  columns: ReadonlyArray<Column<A>>,
  items: ReadonlyArray<A>,
  screen: Screen
): ReadonlyArray<string> => {
  const rows = items.map((item) => columns.map(({ cell }) => printable(cell(item).slice(0, mostOfCell))))
  const laid = layOut(columns, rows, screen.columns)
  const line = (textOf: (column: Laid<A> & { readonly at: number }) => string, style: boolean): string =>
    laid
      .map((it, i) => {
        const { column, width } = it
        const shown = screen.columns === undefined ? textOf(it) : cutCells(textOf(it), width)
        const isLast = i === laid.length - 1
        const text = isLast && column.right !== true ? shown : padded(shown, width, column.right)
        return style && column.colour !== undefined ? column.colour(text, screen) : text
      })
      .join(gap)
      .trimEnd()
  return [
    bold(
      line(({ column }) => column.title, false),
      screen
    ),
    ...rows.map((row) => line(({ at }) => row[at] ?? "", true))
  ]
}

/** Prints a table. */
export const printTable = <A>(columns: ReadonlyArray<Column<A>>, items: ReadonlyArray<A>): Effect.Effect<void> =>
  Effect.flatMap(Screen, (screen) => printStyled(tableLines(columns, items, screen)))
