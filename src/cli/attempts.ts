/** The attempts made for an event, as a table. */
import type { History } from "../domain/delivery/history.ts"
import { instant } from "../domain/events/instant.ts"
import { cut, printable } from "../domain/text/printable.ts"

/** Of a column, however long what others wrote in it is. */
const widest = 60

const cells = (history: History): ReadonlyArray<ReadonlyArray<string>> =>
  history.map(({ at, consumer, duration_ms, error_code, error_message, status }) =>
    [instant(at), status === null ? "-" : String(status), error_code, `${duration_ms} ms`, consumer, error_message].map(
      (text, column) => (column === 5 ? printable(text) : cut(printable(text), widest))
    )
  )

const table = (title: string, history: History): ReadonlyArray<string> => {
  if (history.length === 0) return []
  const rows = [["time", "status", "code", "duration", "replica", "message"], ...cells(history)]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return [
    title,
    ...rows.map((row) => `  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd())
  ]
}

/** The attempts of an event, and those made before it was replayed; no line where there were none. */
export const attemptLines = (history: History, replayed: History): ReadonlyArray<string> => [
  ...table("attempts before it was replayed", replayed),
  ...table("attempts", history)
]
