/** What an API does with an event: one job, the right credits, whatever the event carries (contract section 4). */
import { Effect } from "effect"
import { creditsForAudio } from "../../domain/events/credits.ts"
import { utf8 } from "../../domain/signing/bytes.ts"
import type { WireAnswer } from "../../services/ApiWire.ts"
import { keyId } from "../../services/Signer.ts"
import type { Rule } from "./rule.ts"
import { broken, shown } from "./subject.ts"

/** Where the formula's rounding and its minimum show, and the longest audio. */
const audioSeconds = [0, 0.09, 0.27, 10.5, 86_400]

/** What the collector gives up at once by default: no retry can mend it. */
const final: ReadonlySet<number> = new Set([400, 413, 422])

const refusedForGood = (answer: WireAnswer, what: string) =>
  final.has(answer.status)
    ? Effect.succeed(`${answer.status}`)
    : broken(`${what}${shown(answer)}; 400, 413 or 422 says that no retry can mend it`)

export const jobs: ReadonlyArray<Rule> = [
  {
    id: "same-event",
    title: "an event that comes again gives the same job and the same credits",
    check: Effect.fnUntraced(function* (api) {
      const event = yield* api.event("same-event", { audio_seconds: 10 })
      const first = yield* api.accepted(api.post(event))
      // As a redriven event comes: signed anew, from another entry of its stream, at a later attempt.
      const again = { ...event, source: { stream: `${api.prefix}stream`, id: "2-0" } }
      const { answer, result } = yield* api.post(again, { skew: 1, attempt: 2 })
      if (result._tag !== "Accepted") return yield* broken(`the second time ${shown(answer)}`)
      if (result.jobId !== first.jobId) return yield* broken(`jobs ${first.jobId} and ${result.jobId}`)
      const credits = result.creditsDeducted ?? first.creditsDeducted
      if (credits !== first.creditsDeducted) {
        return yield* broken(`${first.creditsDeducted} credits at first, then ${credits}`)
      }
      return `job ${first.jobId} both times`
    })
  },
  {
    id: "at-once",
    title: "an event that comes several times at once gives one job",
    check: Effect.fnUntraced(function* (api) {
      const event = yield* api.event("at-once")
      const copies = [0, 1, 2, 3].map((skew) => api.post(event, { skew }))
      const sent = yield* Effect.all(copies, { concurrency: "unbounded" })
      const lost = sent.find(({ answer, result }) => result._tag === "Failed" && final.has(answer.status))
      if (lost !== undefined) return yield* broken(`one of them: ${shown(lost.answer)}, and would be given up`)
      // One that lost the race may be told to come again.
      const last = yield* api.accepted(api.post(event, { skew: 4 }), "asked once more: ")
      const ids = sent.flatMap(({ result }) => (result._tag === "Accepted" ? [result.jobId] : []))
      const different = new Set([...ids, last.jobId])
      if (different.size > 1) return yield* broken(`jobs ${[...different].join(", ")}`)
      return `job ${last.jobId} for ${sent.length} requests`
    })
  },
  {
    id: "idempotency-key",
    title: "an Idempotency-Key that is not the body's event_id is refused",
    check: Effect.fnUntraced(function* (api) {
      const event = yield* api.event("idempotency-key")
      const first = yield* api.accepted(api.post(event))
      for (const [what, one] of [
        ["an event that is known", event],
        ["a new event", yield* api.event("idempotency-key-new")]
      ] as const) {
        const headers = { "idempotency-key": `${one.event_id}-other` }
        const { answer } = yield* api.post(one, { headers, skew: 1 })
        if (answer.status < 400 || answer.status > 499) return yield* broken(`${what}: ${shown(answer)}`)
      }
      return `refused; job ${first.jobId} stays the only one`
    })
  },
  {
    id: "credits",
    title: "credits are max(1, floor(audio_seconds × 5.555556 + 0.5))",
    check: Effect.fnUntraced(function* (api) {
      const seen: Array<string> = []
      for (const seconds of audioSeconds) {
        const event = yield* api.event(`credits-of-${seconds}`, { audio_seconds: seconds })
        const { creditsDeducted } = yield* api.accepted(api.post(event), `${seconds} s: `)
        const expected = creditsForAudio(seconds)
        if (creditsDeducted !== expected) {
          return yield* broken(`${seconds} s: ${creditsDeducted ?? "no"} credits rather than ${expected}`)
        }
        seen.push(`${seconds} s: ${expected}`)
      }
      return seen.join(", ")
    })
  },
  {
    id: "process-event",
    title: "a process event is accepted, its result as text and as an object",
    check: Effect.fnUntraced(function* (api) {
      for (const [label, result] of [
        ["process-text", "an answer"],
        ["process-object", { summary: "an answer", parts: [1, null, {}] }]
      ] as const) {
        const tokens = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 }
        const own = { event_type: "process", audio_seconds: undefined, model: api.model, result, ...tokens }
        yield* api.accepted(api.post(yield* api.event(label, own)), `${label}: `)
      }
      return "both are"
    })
  },
  {
    id: "optional-fields",
    title: "optional fields and headers are accepted",
    check: Effect.fnUntraced(function* (api) {
      const metadata = { session_id: `${api.prefix}session`, language: "en", nested: { list: [1, 2, 3] } }
      const event = yield* api.event("optional-fields", { metadata, model: api.model })
      const headers = {
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x-key-id": keyId(api.signer)
      }
      yield* api.accepted(api.post(event, { headers }))
      return "metadata and model, traceparent and X-Key-Id are"
    })
  },
  {
    id: "unknown-fields",
    title: "fields that the API does not know are accepted under attributes, 256 of them too",
    check: Effect.fnUntraced(function* (api) {
      const one = { "some field": "some value", number: 1e21, list: [], null: null }
      yield* api.accepted(api.post(yield* api.event("unknown-fields", { attributes: one })), "a few: ")
      const many = Object.fromEntries(Array.from({ length: 256 }, (_, at) => [`field_${at}`, `${at}`]))
      yield* api.accepted(api.post(yield* api.event("unknown-fields-256", { attributes: many })), "256 of them: ")
      return "both are"
    })
  },
  {
    id: "large-body",
    title: "a body of 1 MiB is accepted",
    check: Effect.fnUntraced(function* (api) {
      const event = yield* api.event("large-body")
      const size = 1_048_576
      const rest = size - JSON.stringify({ ...event, attributes: { text: "" } }).length
      const body = utf8(JSON.stringify({ ...event, attributes: { text: "x".repeat(rest) } }))
      yield* api.accepted(api.postBytes(event.event_id, body))
      return `${body.length.toLocaleString("en-US")} bytes`
    })
  },
  {
    id: "slow-client",
    title: "a body that comes slowly is waited for",
    check: Effect.fnUntraced(function* (api) {
      const pieces = 8
      const slowly = { pieces, pause: api.slowness }
      yield* api.accepted(api.post(yield* api.event("slow-client"), { slowly }))
      return `${pieces} pieces, a pause before each`
    })
  },
  {
    id: "not-json",
    title: "a signed body that is not JSON is refused for good",
    check: Effect.fnUntraced(function* (api) {
      const { answer } = yield* api.postBytes(`${api.prefix}not-json`, utf8('{"event_id":'))
      return yield* refusedForGood(answer, "")
    })
  },
  {
    id: "invalid-event",
    title: "a signed event that breaks a rule is refused for good",
    check: Effect.fnUntraced(function* (api) {
      const seen = new Set<string>()
      for (const [label, more] of [
        ["negative-audio_seconds", { audio_seconds: -1 }],
        ["no-user_id", { user_id: undefined }],
        ["unknown-event_type", { event_type: "other" }]
      ] as const) {
        const { answer } = yield* api.post(yield* api.event(label, more))
        seen.add(yield* refusedForGood(answer, `${label}: `))
      }
      return [...seen].join(", ")
    })
  }
]
