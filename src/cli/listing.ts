/** Lists of entries, newest first: as rows for people, with how many there are in all, or as one JSON object a line. */
import { Effect, Stream } from "effect"
import { counted, printJson, printLine, printRow } from "./output.ts"

export interface Listing<A> {
  readonly limit: number
  readonly json: boolean
  /** What an item is as JSON. */
  readonly value: (item: A) => unknown
  readonly row: (item: A) => string
  /** What is said of none. */
  readonly none: string
  /** What they are, after their number. */
  readonly what: string
}

export const printListing = Effect.fnUntraced(function* <A, E, R>(
  items: Stream.Stream<A, E, R>,
  { json, limit, none, row, value, what }: Listing<A>
) {
  if (json) return yield* Stream.runForEach(Stream.take(items, limit), (item) => printJson(value(item)))
  let total = 0
  // Beyond the limit entries are only counted.
  yield* Stream.runForEach(items, (item) => {
    total += 1
    return total > limit ? Effect.void : printRow(row(item))
  })
  yield* printLine(
    total === 0 ? none : total > limit ? `${counted(limit)} of ${counted(total)}` : `${counted(total)} ${what}`
  )
})
