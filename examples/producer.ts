/**
 * A producer: adds one event of each kind, as flat fields. `REDIS_URL=redis://… node examples/producer.ts`
 *
 * Check what your own producer writes with `job-collector lint`.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto"
import { Redis } from "ioredis"

const streams = {
  transcribe: process.env.STREAM_TRANSCRIBE ?? "modelsgateway:events:transcribe",
  process: process.env.STREAM_PROCESS ?? "modelsgateway:events:process"
}

type Fields = Readonly<Record<string, string | number>>

/** W3C trace context. With OpenTelemetry: what `propagation.inject` puts into its carrier. */
const traceparent = () => `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`

/** What both kinds have. The id is made once an event: an event that is added again, after an error, keeps it. */
const common = (startedAt: Date, sessionId: string): Fields => {
  const metadata = JSON.stringify({ session_id: sessionId, language: "en" })
  return {
    event_id: randomUUID(),
    user_id: "user-1",
    device_id: "device-1",
    session_id: sessionId,
    started_at: startedAt.toISOString(),
    completed_at: new Date().toISOString(),
    metadata,
    // Over the very text that is added: optional, and noticed if it is damaged on the way.
    metadata_sha256: createHash("sha256").update(metadata).digest("hex"),
    traceparent: traceparent()
  }
}

const redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379")

/** Without MAXLEN: it would drop events that were not read yet. The collector trims, by SOURCE_RETENTION. */
const add = (stream: string, fields: Fields) => redis.xadd(stream, "*", ...Object.entries(fields).flat())

const startedAt = new Date(Date.now() - 10_500)
const transcribe = { ...common(startedAt, "session-1"), audio_seconds: 10.5, model: "whisper-1" }
const answer = {
  ...common(startedAt, "session-2"),
  model: "gpt-4o",
  result: JSON.stringify({ summary: "all is well" }),
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120
}

await add(streams.transcribe, transcribe)
await add(streams.process, answer)
await redis.quit()
