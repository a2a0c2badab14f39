/** Entries as lines of a file, and back (contract section 1, `export` and `import`). */
import { sha256 } from "@noble/hashes/sha2.js"
import { Effect, Result, Schema, Stream } from "effect"
import * as Hex from "effect/encoding/Hex"
import type { FlatFields } from "../../domain/events/entry.ts"
import { jsonLimitProblem } from "../../domain/json/jsonLimits.ts"
import { bytesOfText } from "../../domain/text/escapedBytes.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { FailedEntry } from "./failedEntry.ts"
import { scanPages } from "./scan.ts"

/**
 * One entry. Its fields are kept as they stood, names and values in turn, so that it comes back to the letter; what stands before
 * them is for people and for tools such as jq.
 */
const Line = Schema.Struct({
  stream: Schema.NonEmptyString,
  id: Schema.String.check(Schema.isPattern(/^\d{1,20}-\d{1,20}$/)),
  fields: Schema.Array(Schema.String).check(
    Schema.makeFilter((fields) =>
      fields.length === 0 || fields.length % 2 === 1 ? "must be names and values in turn" : undefined
    )
  )
})
export type Line = typeof Line.Type

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Line))

/** An entry as a value to be written on one line. */
export const lineValue = (entry: FailedEntry) => ({
  stream: entry.stream,
  id: entry.id,
  event_id: entry.eventId ?? null,
  reason: entry.said?.reason ?? null,
  error_code: entry.said?.errorCode ?? null,
  error_message: entry.said?.errorMessage ?? null,
  fields: entry.fields
})

/** What a line holds, or what is wrong with it. */
export const readLine = (text: string): Result.Result<Line, string> => {
  const excess = jsonLimitProblem(text)
  if (excess !== undefined) return Result.fail(excess)
  return Result.mapError(decode(text), () => "is no line of an export")
}

/** What two entries have in common that say the same. */
const fingerprint = (fields: FlatFields): string =>
  Hex.encode(sha256(bytesOfText(fields.map((text) => `${text.length}:${text}`).join(""))))

/**
 * What stands in streams already, so that an import adds nothing twice: how often each entry is there is counted, since two
 * may say the same.
 */
export class Present {
  private readonly counts = new Map<string, number>()

  add(stream: string, fields: FlatFields): void {
    const key = `${stream} ${fingerprint(fields)}`
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }

  /** Takes one such entry away; false where there is none. */
  take(stream: string, fields: FlatFields): boolean {
    const key = `${stream} ${fingerprint(fields)}`
    const count = this.counts.get(key) ?? 0
    if (count > 0) this.counts.set(key, count - 1)
    return count > 0
  }
}

/** What stands in streams now. */
export const presentIn = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  keys: ReadonlyArray<string>,
  onLook: (looked: number) => Effect.Effect<void>
): Effect.fn.Return<Present, EventStreamsError> {
  const present = new Present()
  let looked = 0
  for (const key of keys) {
    yield* Stream.runForEach(scanPages(streams, key), (page) => {
      looked += page.length
      for (const { fields } of page) present.add(key, fields)
      return onLook(looked)
    })
  }
  return present
})
