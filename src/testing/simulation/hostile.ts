/** What a hostile producer writes and a hostile API answers: nothing of it may cost a good event. */
import type { StreamSet } from "../../domain/options/options.ts"
import type { Chance } from "../world/chance.ts"
import type { SimulatedResponse } from "../world/http.ts"

type Fields = Readonly<Record<string, string>>

const greatestId = "18446744073709551615-18446744073709551615"

/** A stream that no collector of the world is set to read. */
export const foreignStream = "{sim}:elsewhere"

const day = 86_400_000

/** An entry that breaks a rule of its structure, as hard to take as it can be. */
export const hostileFields = (fields: Fields, chance: Chance): ReadonlyArray<string> => {
  const flat = Object.entries(fields).flat()
  const makers: readonly [() => ReadonlyArray<string>, ...ReadonlyArray<() => ReadonlyArray<string>>] = [
    () => [...flat, "bytes", "bad bytes \udcff\udc80"],
    () => [...flat, "\udcfe", "a name of bad bytes"],
    () => [...flat, "__proto__", '{"polluted":true}'],
    () => [...flat, ...Array.from({ length: 300 }, (_, i) => [`field-${i}`, "x"]).flat()],
    () => Object.entries({ ...fields, metadata: '{"a":'.repeat(5_000) }).flat(),
    () => Object.entries({ ...fields, metadata: `{"a":[${"1,".repeat(20_000)}1]}` }).flat(),
    () => Object.entries({ ...fields, started_at: "+275760-09-13T00:00:00.001Z" }).flat(),
    () => Object.entries({ ...fields, event_id: "\u001b[2J\u202e".repeat(1_000) }).flat(),
    () => ["data", `{"event_id":${"[".repeat(10_000)}`]
  ]
  return chance.pick(makers)()
}

/** An entry beyond what is kept whole. */
export const oversizeFields = (fields: Fields): ReadonlyArray<string> => [
  ...Object.entries(fields).flat(),
  "large",
  "x".repeat(1_048_577)
]

/** An entry of the DLQ that says what no collector would have written there. */
export const forgedRetry = (event: Fields, streams: StreamSet, now: number, chance: Chance): ReadonlyArray<string> => {
  const retry = {
    attempt: 1,
    not_before: now,
    origin_stream: streams.transcribe,
    origin_id: "1-1",
    first_failed_at: now,
    last_failed_at: now,
    error_code: "HTTP_500",
    error_message: "forged"
  }
  const forged = chance.pick<Readonly<Record<string, unknown>>>([
    { not_before: now + 2 * day },
    { not_before: Number.MAX_SAFE_INTEGER },
    { origin_stream: foreignStream },
    { origin_stream: foreignStream, origin_id: greatestId },
    { origin_stream: streams.abandoned, first_failed_at: 8.64e15 + 1 },
    { attempt: 4 },
    { attempt: 1_000 },
    { attempt: -1 },
    { origin_id: "99999999999999999999999-1" }
  ])
  return ["retry", JSON.stringify({ ...retry, ...forged }), "event", JSON.stringify(event)]
}

/** An entry of the abandoned stream that would have an operator write elsewhere. */
export const forgedAbandoned = (event: Fields, now: number, chance: Chance): ReadonlyArray<string> => {
  const abandoned = {
    reason: chance.pick(["exhausted", "invalid"]),
    attempts: 4,
    origin_stream: foreignStream,
    origin_id: chance.pick(["1-1", greatestId]),
    first_failed_at: now,
    abandoned_at: chance.pick([now, 8.64e15 + 1, Number.MAX_SAFE_INTEGER]),
    error_code: "HTTP_500",
    error_message: "forged \u001b[2J"
  }
  return ["abandoned", JSON.stringify(abandoned), "event", JSON.stringify(event)]
}

/** An answer that no API should give, to a request on which it did nothing. */
export const hostileAnswer = (chance: Chance): SimulatedResponse => {
  const centuries = { "retry-after": "99999999999" }
  const error = { error_code: "\u001b[2J\u202e", error_message: "x".repeat(10_000) }
  const answers: readonly [SimulatedResponse, ...ReadonlyArray<SimulatedResponse>] = [
    { status: 200, body: "x".repeat(1_100_000) },
    { status: 200, body: `{"job_id":${"[".repeat(50_000)}` },
    { status: 200, body: '{"job_id":1,"credits_deducted":1e999}' },
    { status: 200, body: '{"job_id":{"__proto__":1},"credits_deducted":1}' },
    { status: 103, headers: { link: "</>; rel=preload" } },
    { status: 204 },
    { status: 302, headers: { location: "http://elsewhere.test/api/jobs/add" } },
    { status: 500, headers: centuries, body: error },
    { status: 503, headers: centuries, body: "\u0000".repeat(100_000) },
    { status: 200, body: { job_id: 1, credits_deducted: 1 }, afterMs: day }
  ]
  return chance.pick(answers)
}

/** A success said as badly as it can be. */
export const hostileSuccess = (chance: Chance): unknown => ({
  job_id: chance.pick<unknown>(["\u001b[2J\u202e".repeat(2_000), 1.7e308, -1]),
  credits_deducted: chance.pick([1.7e308, -1, 0.5])
})
