/** What a replay leaves on the entry that it puts back: where the event first stood, and the attempts made before. */
import { Result, Schema } from "effect"
import type { FlatFields } from "../events/entry.ts"
import { EntryId } from "../events/streamId.ts"
import { JsonText } from "../json/jsonText.ts"
import { History } from "./history.ts"

/**
 * The last field of an entry that a replay put back. Anybody can write such a field, so it says something only where the
 * entry is known to have been put back; else it is the event's own, like any other.
 */
const markName = "job-collector:replayed"

const Replayed = Schema.Struct({
  source: Schema.Struct({ stream: Schema.NonEmptyString, id: EntryId }),
  /** The attempts of all rounds before, oldest first. */
  history: History
})
export type Replayed = typeof Replayed.Type

const isReplayed = Schema.is(Replayed)
const decode = Schema.decodeUnknownResult(JsonText(131_072).pipe(Schema.decodeTo(Schema.fromJsonString(Replayed))))

/** An event's fields with the mark of its replay; without it where its origin is none that an entry can have. */
export const marked = (event: FlatFields, replayed: Replayed): FlatFields =>
  isReplayed(replayed) ? [...event, markName, JSON.stringify(replayed)] : event

/** An entry that carries a mark, taken apart: the event's own fields, and what the mark says. Of any other, undefined. */
export const takeMark = (
  fields: FlatFields
): { readonly event: FlatFields; readonly replayed: Replayed } | undefined => {
  // All that an event without a mark costs.
  if (fields[fields.length - 2] !== markName) return undefined
  const decoded = decode(fields.at(-1))
  return Result.isFailure(decoded) ? undefined : { event: fields.slice(0, -2), replayed: decoded.success }
}
