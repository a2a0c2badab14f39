/** Entries of the DLQ and of the abandoned stream: two fields each, both JSON (contract section 5). */
import { Result, Schema } from "effect"
import { type FlatFields, fieldsToObject, InvalidEvent, invalidToFields, objectToFields } from "../events/entry.ts"
import { invalidEvent } from "../events/eventKind.ts"
import { maxAttempts } from "./retry.ts"

const Millis = Schema.Int

/** What a DLQ entry says of the event's attempts so far; times in epoch milliseconds. */
export const Retry = Schema.Struct({
  attempt: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxAttempts - 1 })),
  not_before: Millis,
  origin_stream: Schema.NonEmptyString,
  origin_id: Schema.String.check(Schema.isPattern(/^\d{1,20}-\d{1,20}$/)),
  first_failed_at: Millis,
  last_failed_at: Millis,
  error_code: Schema.String,
  error_message: Schema.String
})
export type Retry = typeof Retry.Type

export const AbandonReason = Schema.Literals(["exhausted", "rejected", "invalid", "poison"])

/** What an abandoned entry says of the event's end. */
export const Abandoned = Schema.Struct({
  reason: AbandonReason,
  attempts: Schema.Int,
  origin_stream: Schema.String,
  origin_id: Schema.String,
  first_failed_at: Millis,
  abandoned_at: Millis,
  error_code: Schema.String,
  error_message: Schema.String
})
export type Abandoned = typeof Abandoned.Type

const EventObject = Schema.Record(Schema.String, Schema.String)

const DlqFields = Schema.Struct({ retry: Schema.fromJsonString(Retry), event: Schema.fromJsonString(EventObject) })
const AbandonedFields = Schema.Struct({
  abandoned: Schema.fromJsonString(Abandoned),
  event: Schema.fromJsonString(EventObject)
})

const decodeDlq = Schema.decodeUnknownResult(DlqFields)
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

export const encodeAbandonedEntry = (abandoned: Abandoned, event: FlatFields): FlatFields => [
  "abandoned",
  JSON.stringify(abandoned),
  "event",
  JSON.stringify(fieldsToObject(event))
]

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
): Result.Result<{ readonly abandoned: Abandoned; readonly event: FlatFields }, InvalidEvent> => {
  const decoded = decodeAbandoned(fieldsToObject(fields))
  if (Result.isFailure(decoded)) return Result.fail(invalidEvent(decoded.failure.issue))
  const { abandoned, event } = decoded.success
  const isSaid = (message: string) => abandoned.reason === "invalid" && clip(message) === abandoned.error_message
  return Result.succeed({ abandoned, event: invalidToFields(event, isSaid) })
}
