/** The two kinds of the Models Gateway, transcribe and process: their schemas and the body of `POST /api/jobs/add`. */
import { Result, Schema } from "effect"
import * as Hex from "effect/encoding/Hex"
import { utf8 } from "../signing/bytes.ts"
import { partitionsOf } from "../traffic/isolation.ts"
import { creditsForAudio } from "./credits.ts"
import { type EventFields, eventFields, type Form, InvalidEvent } from "./entry.ts"
import { encodeBody, invalidEvent, type ReadContext, type SyncKind, standardRules, traceparentOf } from "./eventKind.ts"
import * as F from "./fields.ts"
import { timeOfId } from "./streamId.ts"

const common = (form: Form) => ({
  event_id: F.EventId,
  user_id: F.Identifier,
  device_id: F.Identifier,
  session_id: F.Identifier,
  started_at: F.Time(form),
  completed_at: F.Time(form),
  metadata: Schema.optionalKey(F.JsonObjectIn(form)),
  metadata_sha256: Schema.optionalKey(F.Sha256Hex)
})

/** A transcription, its numbers and times decoded (times to epoch milliseconds). */
const TranscribeEvent = (form: Form) =>
  Schema.Struct({ ...common(form), audio_seconds: F.AudioSeconds(form), model: Schema.optionalKey(F.NonEmptyText) })

/** A model's answer with its token counts. */
const ProcessEvent = (form: Form) =>
  Schema.Struct({
    ...common(form),
    model: F.NonEmptyText,
    result: F.AiResult(form),
    prompt_tokens: F.TokenCount(form),
    completion_tokens: F.TokenCount(form),
    total_tokens: F.TokenCount(form)
  })

/** The fields of the two kinds, as they stand in an entry of either form. */
export const eventFieldsOf = (kind: "transcribe" | "process", form: Form): Schema.Struct.Fields =>
  kind === "transcribe" ? TranscribeEvent(form).fields : ProcessEvent(form).fields

type TranscribeEvent = ReturnType<typeof TranscribeEvent>["Type"]
type ProcessEvent = ReturnType<typeof ProcessEvent>["Type"]

/** A time as the request carries it: one that came in this form already is passed on as it is. */
const isoUtc = (time: number, given: unknown): string =>
  typeof given === "string" && F.canonicalTime.test(given) ? given : new Date(time).toISOString()

/** The rules that span fields: times in order and in bounds, metadata that belongs to the event. */
const crossCheck = (
  event: TranscribeEvent | ProcessEvent,
  { form, values }: EventFields,
  context: ReadContext
): InvalidEvent | undefined => {
  const broken = (field: string, rule: string) => new InvalidEvent({ field, rule })
  if (event.started_at > event.completed_at) return broken("started_at", "must not be after completed_at")
  if (context.firstReading) {
    if (event.completed_at > context.now + context.maxSkewMs) {
      return broken("completed_at", "must not be further in the future than EVENT_MAX_SKEW allows")
    }
    if (event.completed_at < Math.min(context.now, timeOfId(context.source.id)) - context.maxAgeMs) {
      return broken("completed_at", "must not be older than EVENT_MAX_AGE allows")
    }
  }
  const { metadata } = event
  if (metadata !== undefined && Object.hasOwn(metadata, "session_id") && metadata.session_id !== event.session_id) {
    return broken("metadata", "its session_id must equal the event's")
  }
  if (event.metadata_sha256 !== undefined) {
    if (metadata === undefined) return broken("metadata_sha256", "must not be given without metadata")
    if (form === "flat" && Hex.encode(context.sha256(utf8(String(values.metadata)))) !== event.metadata_sha256) {
      return broken("metadata_sha256", "must be the SHA-256 of the metadata's bytes")
    }
  }
  if ("total_tokens" in event && event.total_tokens !== event.prompt_tokens + event.completion_tokens) {
    return broken("total_tokens", "must be prompt_tokens + completion_tokens")
  }
  return undefined
}

/** Everything a kind does not know, passed on as it came. */
const attributesOf = (values: EventFields["values"], known: ReadonlySet<string>): Record<string, unknown> => {
  // No name is `__proto__`: such an entry is refused before.
  const rest: Record<string, unknown> = {}
  for (const name in values) if (!known.has(name)) rest[name] = values[name]
  return rest
}

const path = "/api/jobs/add"

const kind = <E extends TranscribeEvent | ProcessEvent>(
  name: "transcribe" | "process",
  schema: (form: Form) => Schema.Codec<E, unknown> & { readonly fields: Readonly<Record<string, unknown>> },
  own: (event: E) => Record<string, unknown>,
  credits: (event: E) => number | undefined
): SyncKind => {
  const flat = schema("flat")
  const known = new Set([...Object.keys(flat.fields), "traceparent"])
  const decode = { flat: Schema.decodeUnknownResult(flat), data: Schema.decodeUnknownResult(schema("data")) }
  return {
    name,
    stream: undefined,
    ...standardRules,
    prepare: (fields, context) => {
      const read = eventFields(fields)
      if (Result.isFailure(read)) return Result.fail(read.failure)
      const decoded = decode[read.success.form](read.success.values)
      if (Result.isFailure(decoded)) return Result.fail(invalidEvent(decoded.failure.issue))
      const event = decoded.success
      const { values } = read.success
      const broken = crossCheck(event, read.success, context)
      if (broken !== undefined) return Result.fail(broken)
      const body = encodeBody({
        event_id: event.event_id,
        event_type: name,
        source: { stream: context.source.stream, id: context.source.id },
        user_id: event.user_id,
        device_id: event.device_id,
        session_id: event.session_id,
        started_at: isoUtc(event.started_at, values.started_at),
        completed_at: isoUtc(event.completed_at, values.completed_at),
        ...own(event),
        metadata: event.metadata,
        attributes: attributesOf(values, known)
      })
      return Result.map(body, (bytes) => ({
        eventId: event.event_id,
        path,
        body: bytes,
        expectedCredits: credits(event),
        traceparent: traceparentOf(read.success),
        partitions: partitionsOf(values, context.partedBy)
      }))
    }
  }
}

export const transcribe: SyncKind = kind(
  "transcribe",
  TranscribeEvent,
  (event) => ({ audio_seconds: event.audio_seconds, model: event.model }),
  (event) => creditsForAudio(event.audio_seconds)
)

export const process: SyncKind = kind(
  "process",
  ProcessEvent,
  (event) => ({
    model: event.model,
    result: event.result,
    prompt_tokens: event.prompt_tokens,
    completion_tokens: event.completion_tokens,
    total_tokens: event.total_tokens
  }),
  () => undefined
)
