/** The streams, for who writes or reads them (contract sections 3 and 5). */
import { Abandoned, Retry } from "../../src/domain/delivery/dlq.ts"
import { History } from "../../src/domain/delivery/history.ts"
import { defaultStreams } from "../../src/domain/options/options.ts"
import { eventSchemas, type Json, plain } from "./events.ts"
import { abandonedExamples, dlqExamples, sourceExamples } from "./examples.ts"

/** A schema within the document: its own id would make its references point elsewhere. */
const inner = (file: string): Json => {
  const { $id: _, $schema: __, ...schema } = eventSchemas[file] ?? {}
  return schema
}

const jsonText = (contentSchema: Json): Json => ({
  type: "string",
  contentMediaType: "application/json",
  contentSchema
})

const strings = { type: "object", additionalProperties: { type: "string" } }

const message = (title: string, description: string, payload: Json, examples: ReadonlyArray<Json>): Json => ({
  title,
  description,
  contentType: "application/x-redis-stream-entry",
  payload,
  examples
})

const source = (kind: "transcribe" | "process"): Json =>
  message(
    `A ${kind} event`,
    "An entry of flat fields, all of them strings (numbers and objects as JSON); or of the one field `data`, the event as a JSON object.",
    {
      anyOf: [
        inner(`${kind}.flat.schema.json`),
        {
          type: "object",
          properties: { data: jsonText(inner(`${kind}.data.schema.json`)) },
          required: ["data"],
          maxProperties: 1
        }
      ]
    },
    sourceExamples(kind)
  )

const channel = (key: string, variable: string, description: string, name: string): Json => ({
  address: key,
  description: `${description} Its key is set by \`${variable}\`.`,
  messages: { [name]: { $ref: `#/components/messages/${name}` } }
})

const operation = (action: "send" | "receive", name: string, summary: string): Json => ({
  action,
  channel: { $ref: `#/channels/${name}` },
  summary,
  messages: [{ $ref: `#/channels/${name}/messages/${name}` }]
})

export const asyncapi: Json = {
  asyncapi: "3.0.0",
  info: {
    title: "Streams of job-collector",
    version: "1",
    description:
      "Redis Streams, read by a consumer group. Producers XADD to `transcribe` and `process`; check events with `job-collector lint`."
  },
  defaultContentType: "application/x-redis-stream-entry",
  channels: {
    transcribe: channel(defaultStreams.transcribe, "STREAM_TRANSCRIBE", "Transcriptions.", "transcribe"),
    process: channel(defaultStreams.process, "STREAM_PROCESS", "Answers of models.", "process"),
    dlq: channel(defaultStreams.dlq, "STREAM_DLQ", "Events that wait for a retry.", "dlq"),
    abandoned: channel(defaultStreams.abandoned, "STREAM_ABANDONED", "Events that were given up.", "abandoned")
  },
  operations: {
    readTranscribe: operation("receive", "transcribe", "Delivers each to the jobs API."),
    readProcess: operation("receive", "process", "Delivers each to the jobs API."),
    sendDlq: operation("send", "dlq", "Moves an event whose attempt failed here."),
    readDlq: operation("receive", "dlq", "Tries an event again when it is due."),
    sendAbandoned: operation(
      "send",
      "abandoned",
      "Moves an event here that is invalid, rejected, poison, or out of attempts."
    )
  },
  components: {
    messages: {
      transcribe: source("transcribe"),
      process: source("process"),
      dlq: message(
        "An event that waits for a retry",
        "`retry` says what was tried and when the next attempt is due; `event` has the original entry's fields, unchanged. Both are JSON.",
        {
          type: "object",
          properties: { retry: jsonText(plain(Retry)), event: jsonText(strings) },
          required: ["retry", "event"]
        },
        dlqExamples
      ),
      abandoned: message(
        "An event that was given up",
        "`abandoned` says why, `history` has each attempt, `replayed` those made before a replay, `event` the original entry's fields; of an event that was too large it has the " +
          "beginning, and `truncated` the whole's size and digest. All are JSON. `job-collector abandoned` lists, replays and drops them.",
        {
          type: "object",
          properties: {
            abandoned: jsonText(plain(Abandoned)),
            event: jsonText(strings),
            history: jsonText(plain(History)),
            replayed: jsonText(plain(History)),
            truncated: jsonText({
              type: "object",
              properties: { bytes: { type: "integer" }, sha256: { type: "string" } },
              required: ["bytes", "sha256"]
            })
          },
          required: ["abandoned", "event"]
        },
        abandonedExamples
      )
    }
  }
}
