/** What the documents show: one event of each kind on its whole way. A test holds each to its schema. */
import { encodeAbandonedEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import { type FlatFields, fieldsToObject } from "../../src/domain/events/entry.ts"
import { defaultStreams } from "../../src/domain/options/options.ts"
import type { Json } from "./events.ts"

const at = Date.UTC(2026, 0, 1)

const transcribe = {
  event_id: "evt-1",
  user_id: "user-1",
  device_id: "device-1",
  session_id: "session-1",
  started_at: "2026-01-01T00:00:00.000Z",
  completed_at: "2026-01-01T00:00:10.500Z",
  audio_seconds: 10.5,
  model: "whisper-1",
  metadata: { session_id: "session-1", language: "en" }
}

const process = {
  event_id: "evt-2",
  user_id: "user-1",
  device_id: "device-1",
  session_id: "session-1",
  started_at: "2026-01-01T00:00:00.000Z",
  completed_at: "2026-01-01T00:00:10.500Z",
  model: "gpt-4o",
  result: { summary: "fine" },
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120
}

const events = { transcribe, process }

/** An event's flat fields: all are strings. */
const flat = (event: Json): FlatFields =>
  Object.entries(event).flatMap(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)])

/** An entry of a source stream, in both forms. */
export const sourceExamples = (kind: keyof typeof events): ReadonlyArray<Json> => [
  { name: "flat", summary: "Flat fields", payload: fieldsToObject(flat(events[kind])) },
  { name: "data", summary: "One field", payload: { data: JSON.stringify(events[kind]) } }
]

/** The body of a delivery. */
export const requestExample = (kind: keyof typeof events): Json => ({
  ...events[kind],
  event_type: kind,
  source: { stream: defaultStreams[kind], id: `${at}-0` },
  attributes: {}
})

const origin = { origin_stream: defaultStreams.transcribe, origin_id: `${at}-0` }
const failure = { error_code: "HTTP_503", error_message: "the database is away" }
const attempts = [0, 5_200, 20_400, 65_700].map((after) => ({
  at: at + after,
  ...failure,
  status: 503,
  duration_ms: 200,
  consumer: "collector-0"
}))

export const dlqExamples: ReadonlyArray<Json> = [
  {
    name: "retry",
    summary: "After the first attempt",
    payload: fieldsToObject(
      encodeDlqEntry(
        {
          attempt: 1,
          not_before: at + 5_200,
          ...origin,
          first_failed_at: at + 200,
          last_failed_at: at + 200,
          ...failure,
          history: attempts.slice(0, 1)
        },
        flat(transcribe)
      )
    )
  }
]

export const abandonedExamples: ReadonlyArray<Json> = [
  {
    name: "exhausted",
    summary: "After four attempts",
    payload: fieldsToObject(
      encodeAbandonedEntry(
        {
          reason: "exhausted",
          attempts: 4,
          ...origin,
          first_failed_at: at + 200,
          abandoned_at: at + 65_900,
          ...failure
        },
        flat(transcribe),
        { history: attempts }
      )
    )
  }
]

export const configurationExample: Json = {
  version: 7,
  openai_keys: [{ id: "primary", key: "sk-example" }],
  model_configs: [
    {
      id: "gpt-4o",
      provider: "openai",
      enabled: true,
      rules: { max_tokens: 4_096 },
      costs: { prompt_per_1k: 0.0025, completion_per_1k: 0.01 }
    }
  ],
  rate_limits: [{ model: "gpt-4o", requests_per_minute: 500, tokens_per_minute: 30_000 }]
}
