/** The jobs API, as the collector calls it (contract sections 4 and 7). */
import { Duration } from "effect"
import { MAX_ANSWER_BYTES } from "../../src/domain/delivery/answer.ts"
import { BundleSchema } from "../../src/domain/gatewayConfig/bundle.ts"
import { defaultOptions } from "../../src/domain/options/options.ts"
import { MAX_DRIFT_SECONDS, SERVICE_ID } from "../../src/domain/signing/signature.ts"
import { type Json, plain, shapeOf } from "./events.ts"
import { configurationExample, requestExample } from "./examples.ts"

const instant = {
  type: "string",
  pattern: "^(?:\\d{4}|[+-]\\d{6})-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$",
  description: "ISO 8601 in UTC."
}

/** An event as it is delivered: numbers and objects as such, times in UTC, what is unknown under `attributes`. */
const requestOf = (kind: "transcribe" | "process"): Json => {
  const { properties, required } = shapeOf(kind, "data")
  const { metadata_sha256: _, ...own } = properties
  return {
    type: "object",
    properties: {
      ...own,
      event_type: { const: kind },
      source: {
        type: "object",
        description: "The entry that the producer added; of a replayed event still the first one.",
        properties: { stream: { type: "string" }, id: { type: "string", pattern: "^\\d+-\\d+$" } },
        required: ["stream", "id"]
      },
      started_at: instant,
      completed_at: instant,
      attributes: { type: "object", description: "All that the event had beside, as it came." }
    },
    required: [...required, "event_type", "source", "attributes"]
  }
}

const header = (name: string, schema: Json, example: unknown, description: string, required = true): Json => ({
  name,
  in: "header",
  required,
  schema,
  description,
  example
})

const serviceId = header(
  "X-Service-Id",
  { type: "string", pattern: SERVICE_ID.source },
  defaultOptions.serviceId,
  "Which service signed: part of what is signed."
)

const keyId = header(
  "X-Key-Id",
  { type: "string", pattern: "^[0-9a-f]{16}$" },
  "21fe31dfa154a261",
  "Which key signed: the first 16 hex digits of the SHA-256 of its raw public key. Both keys are trusted while one takes the other's place.",
  false
)

const json = (schema: Json, example: unknown): Json => ({ "application/json": { schema, example } })
const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })
const error = (description: string, error_code: string, error_message: string): Json => ({
  description,
  content: json(ref("Error"), { error_code, error_message })
})

const rejected = [...defaultOptions.rejectStatuses].sort((a, b) => a - b)
const gaveUp = `No retry can mend it: the event is abandoned at once. (\`API_REJECT_STATUSES\`; by default ${rejected.join(", ")}.)`
const unauthorized = error(
  "The signature, its time or a header is missing, malformed or wrong. Told before the body is parsed. A failed attempt.",
  "BAD_SIGNATURE",
  "no key that is trusted for this service made this signature"
)
const retried = "A failed attempt: tried again after 5, 15 and 45 seconds, then abandoned."

const requestExamples = {
  transcribe: { summary: "A transcribe event", value: requestExample("transcribe") },
  process: { summary: "A process event", value: requestExample("process") }
}

const addJob: Json = {
  operationId: "addJob",
  summary: "Add the job of an event",
  description:
    "Verify the signature over the bytes as they came, then look the body's `event_id` up: an event that was added before is " +
    "answered with the same job and charged nothing, whichever attempt, signature or `source` it comes with. Refuse an " +
    "`Idempotency-Key` that is not the body's `event_id`: that header is not signed. Remember events as long as abandoned ones " +
    "may be replayed.",
  parameters: [
    serviceId,
    keyId,
    header("Idempotency-Key", { type: "string", pattern: "^[!-~]{1,128}$" }, "evt-1", "The event's `event_id`."),
    header(
      "X-Delivery-Attempt",
      { type: "integer", minimum: 1, maximum: 4 },
      1,
      "Which of the event's attempts this is.",
      false
    ),
    header(
      "traceparent",
      { type: "string" },
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "W3C trace context of the delivery, where it is traced.",
      false
    )
  ],
  requestBody: {
    required: true,
    content: { "application/json": { schema: ref("JobRequest"), examples: requestExamples } }
  },
  responses: {
    "200": {
      description: "There is a job, made now or before. Any 2xx with this body will do.",
      content: json(ref("JobAnswer"), { job_id: 4711, credits_deducted: 58 })
    },
    "409": {
      description:
        "The event was added before. With a `job_id` that is a success like a 2xx; without one it is a failed attempt.",
      content: json({ anyOf: [ref("Conflict"), ref("Error")] }, { job_id: 4711 })
    },
    "401": unauthorized,
    ...Object.fromEntries(
      rejected.map((status) => [`${status}`, error(gaveUp, "UNKNOWN_USER", "there is no such user")])
    ),
    "429": {
      ...error(
        "Too many requests: all deliveries of the process pause for `Retry-After`. A failed attempt.",
        "TOO_MANY_REQUESTS",
        "slow down"
      ),
      headers: {
        "Retry-After": { schema: { type: "string" }, description: "Seconds or a date; at most 5 minutes count." }
      }
    },
    "503": {
      ...error(retried, "UNAVAILABLE", "the database is away"),
      headers: {
        "Retry-After": { schema: { type: "string" }, description: "Lengthens the delay, to 5 minutes at most." }
      }
    },
    default: error(`${retried} So is a redirect, which is not followed.`, "INTERNAL", "an unexpected error")
  }
}

const configurations: Json = {
  operationId: "getConfigurations",
  summary: "The configuration of the Models Gateway",
  description: "Asked for at an interval and signed over the empty body. A version has one content and never falls.",
  parameters: [
    serviceId,
    keyId,
    header("If-None-Match", { type: "string" }, '"7"', "The `ETag` of the configuration that is known.", false)
  ],
  responses: {
    "200": {
      description: "The configuration.",
      headers: {
        ETag: { schema: { type: "string" }, description: "Spares the next request its answer." },
        "Content-Digest": {
          schema: { type: "string" },
          description: "RFC 9530, sha-256 or sha-512. One that does not match the body refuses the configuration."
        }
      },
      content: json(ref("Configuration"), configurationExample)
    },
    "304": { description: "The configuration is the one that `If-None-Match` names." },
    "401": unauthorized,
    default: error("Asked again at the next interval.", "INTERNAL", "an unexpected error")
  }
}

export const openapi: Json = {
  openapi: "3.1.1",
  info: {
    title: "Jobs API",
    version: "1",
    description:
      "What job-collector asks of the API that it delivers to. Whether an API does all of it is told by " +
      "`job-collector verify-api <url>`.\n\n" +
      "Every request is signed: `Authorization: Ed25519 {timestamp}:{signature}`; the security scheme says over what.\n\n" +
      `An answer counts whole: complete within \`API_TIMEOUT\` (${Duration.format(Duration.fromInputUnsafe(defaultOptions.apiTimeout))} by default) and at most ` +
      `${MAX_ANSWER_BYTES.toLocaleString("en-US")} bytes.`
  },
  servers: [{ url: "{API_BASE_URL}", variables: { API_BASE_URL: { default: "https://api.example.com" } } }],
  security: [{ ed25519: [] }],
  tags: [
    { name: "jobs", description: "Where events are delivered." },
    { name: "configurations", description: "What the gateway is configured with." }
  ],
  paths: {
    "/api/jobs/add": { post: { tags: ["jobs"], ...addJob } },
    "/api/models/configurations": { get: { tags: ["configurations"], ...configurations } }
  },
  components: {
    securitySchemes: {
      ed25519: {
        type: "apiKey",
        in: "header",
        name: "Authorization",
        description:
          "`Ed25519 {timestamp}:{signature}`: Unix seconds, and the Ed25519 signature (RFC 8032) in standard base64 with padding over the " +
          "UTF-8 bytes of `v1\\n{timestamp}\\n{hex SHA-256 of the exact body bytes}\\n{X-Service-Id}`. A time " +
          `${MAX_DRIFT_SECONDS / 60} minutes off or more is refused. With \`SIGNATURE_SCHEMES\` a request is also signed by RFC 9421 (\`Content-Digest\`, ` +
          "`Signature-Input`, `Signature`) or Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`); verifiers and " +
          "test vectors come with the package."
      }
    },
    schemas: {
      JobRequest: {
        oneOf: [ref("TranscribeJob"), ref("ProcessJob")],
        discriminator: {
          propertyName: "event_type",
          mapping: { transcribe: "#/components/schemas/TranscribeJob", process: "#/components/schemas/ProcessJob" }
        }
      },
      TranscribeJob: requestOf("transcribe"),
      ProcessJob: requestOf("process"),
      JobAnswer: {
        type: "object",
        properties: {
          job_id: { type: ["string", "number"] },
          credits_deducted: {
            type: "number",
            description:
              "Of a transcribe event max(1, floor(audio_seconds × 5.555556 + 0.5)): a difference is logged and counted."
          }
        },
        required: ["job_id", "credits_deducted"]
      },
      Conflict: {
        type: "object",
        properties: { job_id: { type: ["string", "number"] }, credits_deducted: { type: "number" } },
        required: ["job_id"]
      },
      Error: {
        type: "object",
        description: "What is wrong, for operators: both are kept with the event.",
        properties: { error_code: { type: "string" }, error_message: { type: "string" } },
        required: ["error_code", "error_message"]
      },
      Configuration: plain(BundleSchema)
    }
  }
}
