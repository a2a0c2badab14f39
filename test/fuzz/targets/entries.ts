/** Entries of the source streams, and what is written of them into the DLQ and the abandoned stream. */
import { createHash } from "node:crypto"
import { Result } from "effect"
import {
  decodeAbandonedEntry,
  decodeDlqEntry,
  dlqWaitOf,
  encodeAbandonedEntry,
  encodeDlqEntry,
  tooFarAhead
} from "../../../src/domain/delivery/dlq.ts"
import { claimedEventId, type FlatFields, keptFields } from "../../../src/domain/events/entry.ts"
import type { ReadContext } from "../../../src/domain/events/eventKind.ts"
import { instant } from "../../../src/domain/events/instant.ts"
import { process, transcribe } from "../../../src/domain/events/jobEvent.ts"
import { defaultStreams } from "../../../src/domain/options/options.ts"
import { abandonedItem, dlqItem, makeFateOf } from "../../../src/programs/operator/redrive.ts"
import { processFields, transcribeFields } from "../../support/events.ts"
import { type Input, mustHold, shapeOf, type Target } from "../target.ts"

const now = Date.UTC(2026, 0, 1)
const day = 86_400_000
const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest()
const source = { stream: "events", id: `${now}-0` }
const context: ReadContext = {
  source,
  now,
  firstReading: true,
  maxAgeMs: 7 * day,
  maxSkewMs: 300_000,
  partedBy: [],
  sha256
}

const retry = {
  attempt: 1,
  not_before: now,
  origin_stream: defaultStreams.transcribe,
  origin_id: "1-1",
  first_failed_at: now,
  last_failed_at: now,
  error_code: "HTTP_500",
  error_message: "away"
}
const abandoned = {
  reason: "invalid" as const,
  attempts: 1,
  origin_stream: defaultStreams.transcribe,
  origin_id: "1-1",
  first_failed_at: now,
  abandoned_at: now,
  error_code: "INVALID",
  error_message: ""
}
const attempt = {
  at: now,
  error_code: "HTTP_500",
  error_message: "away",
  status: 500,
  duration_ms: 12,
  consumer: "replica-1"
}

const plain = transcribeFields("e-1", now, { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, note: "x" })
const asData = (fields: FlatFields): Input => {
  const event = Object.fromEntries(
    fields.flatMap((text, i) => (i % 2 === 0 ? [[text, text === "metadata" ? { deep: [1] } : fields[i + 1]]] : []))
  )
  return ["data", JSON.stringify({ ...event, audio_seconds: 10.5 })]
}

const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes)

/** A valid event is the same request again when it comes back from the DLQ. */
const mustComeBack = (kind: typeof transcribe, fields: FlatFields, body: Uint8Array): void => {
  const back = decodeDlqEntry(encodeDlqEntry(retry, fields))
  mustHold(Result.isSuccess(back), "a valid event does not come back from the DLQ")
  if (Result.isFailure(back)) return
  const again = kind.prepare(back.success.event, { ...context, firstReading: false })
  mustHold(Result.isSuccess(again) && textOf(again.success.body) === textOf(body), "a retry sends another request")
}

/** An invalid event can be kept, read again, and is as invalid as before. */
const mustStayInvalid = (kind: typeof transcribe, fields: FlatFields, message: string): void => {
  const event = keptFields(fields)
  const truncated = event === fields ? undefined : { bytes: 1, sha256: "00" }
  const about = { ...abandoned, error_message: message.slice(0, 1_024).toWellFormed() }
  const back = decodeAbandonedEntry(encodeAbandonedEntry(about, event, { truncated }))
  // Of more members than may be read again: the operator sees it as it stands.
  if (Result.isFailure(back)) return
  if (truncated === undefined)
    mustHold(Result.isFailure(kind.prepare(back.success.event, context)), "an invalid event is valid when put back")
}

export const entries: Target = {
  name: "entries",
  passes: 2,
  seeds: [plain, processFields("e-2", now), asData(plain), ["data", "{}"], [], ["a", "1", "a", "2", "a#2", "3"]],
  words: ["event_id", "data", "metadata", "completed_at", "audio_seconds", "result", "#2", "2026-01-01T00:00:00Z"],
  attempt: (input) => {
    claimedEventId(input)
    const came = [transcribe, process].map((kind) => {
      const prepared = kind.prepare(input, context)
      if (Result.isFailure(prepared)) {
        mustStayInvalid(kind, input, prepared.failure.message)
        return shapeOf(prepared.failure.message)
      }
      const { body, eventId } = prepared.success
      const sent = JSON.parse(textOf(body))
      mustHold(sent.event_id === eventId && sent.event_type === kind.name, "the request is not of the event")
      mustHold(!Object.hasOwn(sent.attributes, "__proto__"), "__proto__ is an attribute")
      mustComeBack(kind, input, body)
      return `valid ${Object.keys(sent.attributes).length > 1}`
    })
    return came.join("; ")
  }
}

export const dlq: Target = {
  name: "dlq",
  seeds: [
    encodeDlqEntry(retry, plain),
    ["retry", "{}", "event", "[]"],
    encodeDlqEntry(retry, ["a", "1"]),
    encodeDlqEntry({ ...retry, history: [attempt] }, plain),
    encodeDlqEntry({ ...retry, attempt: 0, history: [], set_aside: "capped", partition: "user_id=u-1" }, plain)
  ],
  words: ["retry", "event", '"not_before":', '"attempt":', "1-1", '"history":[', '"set_aside":"parked"'],
  attempt: (input) => {
    mustHold(dlqWaitOf(input, now).dueTime <= now + day, "it is waited for longer than a day")
    dlqItem("dlq", { id: "1-1", fields: input })
    const decoded = decodeDlqEntry(input)
    if (Result.isFailure(decoded)) return shapeOf(decoded.failure.message)
    const { event, retry: read } = decoded.success
    const again = decodeDlqEntry(encodeDlqEntry(read, event))
    mustHold(Result.isSuccess(again), "what decodes does not when it is written again")
    if (Result.isSuccess(again))
      mustHold(
        JSON.stringify(again.success) === JSON.stringify(decoded.success),
        "it is another when it is written again"
      )
    return tooFarAhead(read, now) === undefined ? "due" : "far ahead"
  }
}

const fateOf = makeFateOf([defaultStreams])

export const abandonedEntries: Target = {
  name: "abandoned",
  seeds: [
    encodeAbandonedEntry(abandoned, plain),
    encodeAbandonedEntry({ ...abandoned, error_message: "a: must not occur twice" }, ["a", "1", "a", "2"]),
    encodeAbandonedEntry(abandoned, plain, { truncated: { bytes: 1, sha256: "00" } }),
    encodeAbandonedEntry(abandoned, plain, { history: [attempt] })
  ],
  words: ["abandoned", "event", "history", "truncated", '"reason":"poison"', '"abandoned_at":', "#2"],
  attempt: (input) => {
    const item = abandonedItem("abandoned", { id: "1-1", fields: input })
    const fate = fateOf(item)
    if (fate._tag === "PutBack") mustHold(Object.values(defaultStreams).includes(fate.to), "it goes to any stream")
    if (item.abandoned === undefined) {
      const decoded = decodeAbandonedEntry(input)
      return Result.isFailure(decoded) ? shapeOf(decoded.failure.message) : "unknown"
    }
    instant(item.abandoned.abandoned_at)
    instant(item.abandoned.first_failed_at)
    return `${fate._tag} ${item.abandoned.reason}`
  }
}
