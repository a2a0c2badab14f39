/** How many entries to ask Redis for: it limits an answer by their number alone, however large each is. */
import { Effect } from "effect"
import { charactersOf, type FlatFields } from "../../domain/events/entry.ts"
import type { StreamEntry } from "../../services/EventStreams.ts"

/** What an answer should hold at most, in characters. */
const mostCharacters = 8 * 1024 * 1024

/** Begins as if all were of the largest size that is valid, and asks for more the smaller those were that came. */
export class ReadSize {
  private most = 8

  /** The number to ask for where `wanted` would be welcome. */
  of(wanted: number): number {
    return Math.min(wanted, this.most)
  }

  /** Takes in what came. A single large entry counts as if all were: they come in rows. */
  note(entries: ReadonlyArray<{ readonly fields: FlatFields }>): void {
    let largest = 0
    for (const { fields } of entries) largest = Math.max(largest, charactersOf(fields))
    if (largest > 0) this.most = Math.max(1, Math.min(this.most * 4, Math.floor(mostCharacters / largest)))
  }
}

/**
 * Reads on from `start`, page by page, until `look` has seen enough or nothing is left. The end of a page, excluded
 * (`(id`), is the start of the next.
 */
export const readPages = Effect.fnUntraced(function* <E>(
  start: string,
  read: (start: string, count: number) => Effect.Effect<ReadonlyArray<StreamEntry>, E>,
  look: (entries: ReadonlyArray<StreamEntry>) => boolean
) {
  const size = new ReadSize()
  for (let at = start; ; ) {
    const count = size.of(Number.MAX_SAFE_INTEGER)
    const entries = yield* read(at, count)
    const last = entries.at(-1)
    if (last === undefined || look(entries) || entries.length < count) return
    size.note(entries)
    at = `(${last.id}`
  }
})
