/** Entries of the DLQ and of the abandoned stream: their fields are JSON (contract section 5). */
import { Result, Schema } from "effect"
import {
  type FlatFields,
  fieldsToObject,
  InvalidEvent,
  invalidToFields,
  objectToFields,
  type Truncated
} from "../events/entry.ts"
import { invalidEvent } from "../events/eventKind.ts"
import { EntryId } from "../events/streamId.ts"
import { JsonText } from "../json/jsonText.ts"
import { History } from "./history.ts"
import { mostAttempts } from "./retry.ts"

const Millis = Schema.Int

/** Why an event was put into the DLQ without an attempt: what it belongs to may not run now (contract section 6). */
const SetAside = Schema.Literals(["capped", "circuit", "parked"])
export type SetAside = typeof SetAside.Type

/** What a DLQ entry says of the event's attempts so far; times in epoch milliseconds. */
export const Retry = Schema.Struct({
  /** 0 only where it was set aside before any was made. */
  attempt: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: mostAttempts - 1 })),
  not_before: Millis,
  origin_stream: Schema.NonEmptyString,
  origin_id: EntryId,
  first_failed_at: Millis,
  last_failed_at: Millis,
  error_code: Schema.String,
  error_message: Schema.String,
  /** Each attempt made, the oldest first. Entries of version 0.1 have none. */
  history: Schema.optionalKey(History),
  /** The attempts made before it was replayed, the oldest first. */
  replayed: Schema.optionalKey(History),
  /** The stream that it was last read in, where a replay put it into another than its origin's. */
  stream: Schema.optionalKey(Schema.NonEmptyString),
  set_aside: Schema.optionalKey(SetAside),
  /** Of an entry set aside: what may not run, as `field=value`. */
  partition: Schema.optionalKey(Schema.String)
})
export type Retry = typeof Retry.Type

export const AbandonReason = Schema.Literals(["exhausted", "rejected", "invalid", "poison"])
export type AbandonReason = typeof AbandonReason.Type

/** What an abandoned entry says of the event's end. */
export const Abandoned = Schema.Struct({
  reason: AbandonReason,
  attempts: Schema.Int,
  origin_stream: Schema.String,
  origin_id: Schema.String,
  first_failed_at: Millis,
  abandoned_at: Millis,
  error_code: Schema.String,
  error_message: Schema.String,
  /** The stream that it was last read in, where a replay put it into another than its origin's. */
  stream: Schema.optionalKey(Schema.NonEmptyString)
})
export type Abandoned = typeof Abandoned.Type

const EventObject = Schema.Record(Schema.String, Schema.String)

/** What is said of an event is short, its histories included. */
const Said = JsonText(131_072)
/** An event of 1 MiB, each of its characters escaped. */
const EventText = JsonText(8 * 1_048_576)

const DlqRetry = Schema.Struct({ retry: Said.pipe(Schema.decodeTo(Schema.fromJsonString(Retry))) })
const DlqFields = Schema.Struct({
  ...DlqRetry.fields,
  event: EventText.pipe(Schema.decodeTo(Schema.fromJsonString(EventObject)))
})
const AbandonedFields = Schema.Struct({
  abandoned: Said.pipe(Schema.decodeTo(Schema.fromJsonString(Abandoned))),
  history: Schema.optionalKey(Said.pipe(Schema.decodeTo(Schema.fromJsonString(History)))),
  replayed: Schema.optionalKey(Said.pipe(Schema.decodeTo(Schema.fromJsonString(History)))),
  event: EventText.pipe(Schema.decodeTo(Schema.fromJsonString(EventObject))),
  truncated: Schema.optionalKey(Schema.fromJsonString(Schema.Struct({ bytes: Schema.Int, sha256: Schema.String })))
})

const decodeDlq = Schema.decodeUnknownResult(DlqFields)
const decodeRetry = Schema.decodeUnknownResult(DlqRetry)
const decodeAbandoned = Schema.decodeUnknownResult(AbandonedFields)

const maxErrorMessage = 1_024

/** At most 1,024 characters, never half a surrogate pair. */
export const clip = (text: string): string => text.slice(0, maxErrorMessage).toWellFormed()

export const encodeDlqEntry = (retry: Retry, event: FlatFields): FlatFields => [
  "retry",
  JSON.stringify(retry),
  "event",
  JSON.stringify(fieldsToObject(event))
]

/** What an abandoned entry has besides its end and its event. */
interface AbandonedMore {
  readonly history?: History
  /** The attempts made before it was replayed. */
  readonly replayed?: History | undefined
  readonly truncated?: Truncated | undefined
  /** The event's JSON, where it is made already. */
  readonly eventJson?: string
}

export const encodeAbandonedEntry = (abandoned: Abandoned, event: FlatFields, more: AbandonedMore = {}): FlatFields => [
  "abandoned",
  JSON.stringify(abandoned),
  "event",
  more.eventJson ?? JSON.stringify(fieldsToObject(event)),
  "history",
  JSON.stringify(more.history ?? []),
  ...(more.replayed === undefined ? [] : ["replayed", JSON.stringify(more.replayed)]),
  ...(more.truncated === undefined ? [] : ["truncated", JSON.stringify(more.truncated)])
]

/** The stream that an event was last read in. */
export const lastStreamOf = ({ origin_stream, stream }: Pick<Retry | Abandoned, "origin_stream" | "stream">): string =>
  stream ?? origin_stream

/** No retry waits for as long, whatever an API asks for: who says so would keep the place of one that is due. */
const longestWaitMs = 86_400_000

/** Why a DLQ entry is not waited for; undefined where it may be. */
export const tooFarAhead = ({ not_before: notBefore }: Retry, now: number): InvalidEvent | undefined =>
  notBefore > now + longestWaitMs
    ? new InvalidEvent({ field: "retry", rule: "its not_before must be at most a day ahead" })
    : undefined

/** What a DLQ entry waits for. */
export interface DlqWait {
  /** Epoch milliseconds. */
  readonly dueTime: number
  /** Of one that was set aside the partition that held it up: it is due as soon as that one does so no more. */
  readonly setAsideFor: string | undefined
}

/**
 * What a DLQ entry waits for: nothing where it does not say so, or says what nobody waits for. Its event is not looked at.
 */
export const dlqWaitOf = (fields: FlatFields, now: number): DlqWait => {
  const [first, text] = fields[0] === "retry" ? fields : fields.slice(2)
  const decoded = first === "retry" ? decodeRetry({ retry: text }) : undefined
  if (decoded === undefined || Result.isFailure(decoded)) return { dueTime: now, setAsideFor: undefined }
  const { retry } = decoded.success
  if (tooFarAhead(retry, now) !== undefined) return { dueTime: now, setAsideFor: undefined }
  return { dueTime: retry.not_before, setAsideFor: retry.set_aside && (retry.partition ?? "") }
}

/** A DLQ entry decoded: the retry's data and the original entry's fields. */
export const decodeDlqEntry = (
  fields: FlatFields
): Result.Result<{ readonly retry: Retry; readonly event: FlatFields }, InvalidEvent> => {
  if (fields.length !== 4) {
    return Result.fail(new InvalidEvent({ field: "entry", rule: "a DLQ entry has the two fields retry and event" }))
  }
  const decoded = decodeDlq(fieldsToObject(fields))
  return Result.isFailure(decoded)
    ? Result.fail(invalidEvent(decoded.failure.issue))
    : Result.succeed({ retry: decoded.success.retry, event: objectToFields(decoded.success.event) })
}

/** An abandoned entry decoded. */
export const decodeAbandonedEntry = (
  fields: FlatFields
): Result.Result<
  {
    readonly abandoned: Abandoned
    readonly event: FlatFields
    readonly history: History
    readonly replayed: History
    readonly truncated: Truncated | undefined
  },
  InvalidEvent
> => {
  const decoded = decodeAbandoned(fieldsToObject(fields))
  if (Result.isFailure(decoded)) return Result.fail(invalidEvent(decoded.failure.issue))
  const { abandoned, event, history = [], replayed = [], truncated } = decoded.success
  const isSaid = (message: string) => abandoned.reason === "invalid" && clip(message) === abandoned.error_message
  return Result.succeed({ abandoned, event: invalidToFields(event, isSaid), history, replayed, truncated })
}
