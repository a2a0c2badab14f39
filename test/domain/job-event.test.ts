import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import type { FlatFields } from "../../src/domain/events/entry.ts"
import type { ReadContext } from "../../src/domain/events/eventKind.ts"
import { process, transcribe } from "../../src/domain/events/jobEvent.ts"
import { processFields, transcribeFields } from "../support/events.ts"

const now = Date.UTC(2026, 0, 2, 3, 4, 5)
const day = 86_400_000
const context: ReadContext = {
  source: { stream: "modelsgateway:events:transcribe", id: `${now}-0` },
  now,
  firstReading: true,
  maxAgeMs: 7 * day,
  maxSkewMs: 300_000,
  partedBy: [],
  sha256: (bytes) => createHash("sha256").update(bytes).digest()
}

const transcribed = (more: Record<string, string> = {}) => transcribeFields("evt-1", now, more)
const processed = (more: Record<string, string> = {}) => processFields("evt-1", now, more)

const withData = (event: Record<string, unknown>): FlatFields => ["data", JSON.stringify(event)]

const dataEvent = {
  event_id: "evt-1",
  user_id: "user-1",
  device_id: "device-1",
  session_id: "session-1",
  started_at: now - 10_000,
  completed_at: new Date(now).toISOString(),
  audio_seconds: 10.5
}

const body = (fields: FlatFields, kind = transcribe, more: Partial<ReadContext> = {}): Record<string, unknown> => {
  const prepared = kind.prepare(fields, { ...context, ...more })
  assert(Result.isSuccess(prepared), Result.isFailure(prepared) ? prepared.failure.message : "")
  return JSON.parse(new TextDecoder().decode(prepared.success.body))
}

const problem = (fields: FlatFields, kind = transcribe, more: Partial<ReadContext> = {}): string => {
  const prepared = kind.prepare(fields, { ...context, ...more })
  assert(Result.isFailure(prepared), "the event was taken as valid")
  return prepared.failure.message
}

const without = (fields: FlatFields, name: string): FlatFields => {
  const at = fields.indexOf(name)
  return [...fields.slice(0, at), ...fields.slice(at + 2)]
}

describe("the request's body", () => {
  it("of a flat transcribe event", () => {
    assert.deepStrictEqual(body(transcribed({ region: "eu", traceparent: "nonsense" })), {
      event_id: "evt-1",
      event_type: "transcribe",
      source: { stream: "modelsgateway:events:transcribe", id: `${now}-0` },
      user_id: "user-1",
      device_id: "device-1",
      session_id: "session-1",
      started_at: "2026-01-02T03:03:55.000Z",
      completed_at: "2026-01-02T03:04:05.000Z",
      audio_seconds: 10.5,
      model: "whisper-1",
      metadata: { session_id: "session-1", language: "en" },
      attributes: { region: "eu" }
    })
  })

  it("of a flat process event, its result parsed and its numbers numbers", () => {
    const made = body(processed(), process)
    assert.strictEqual(made.event_type, "process")
    assert.deepStrictEqual(made.result, { summary: "fine" })
    assert.strictEqual(made.total_tokens, 120)
    assert.deepStrictEqual(made.attributes, {})
    assert.notProperty(made, "metadata")
  })

  it("of an event in the field data, absent optional fields left out, unknown members kept as they are", () => {
    assert.deepStrictEqual(body(withData({ ...dataEvent, tags: ["a", 1] })), {
      ...dataEvent,
      event_type: "transcribe",
      source: { stream: "modelsgateway:events:transcribe", id: `${now}-0` },
      started_at: "2026-01-02T03:03:55.000Z",
      completed_at: "2026-01-02T03:04:05.000Z",
      attributes: { tags: ["a", 1] }
    })
  })

  it("a long number or exponent in a text is no number, and one that a double holds may be long", () => {
    const metadata = { note: "1e400", small: 1e-300, zero: 0 }
    const text = JSON.stringify(metadata).replace('"zero":0', '"zero":0e999')
    assert.deepStrictEqual(body(transcribed({ metadata: text })).metadata, metadata)
  })

  it("numbers that a double does not hold are passed on as they were written", () => {
    const long = '{"id":12345678901234567891,"share":0.12345678901234567891,"vast":[1e400,-1e309]}'
    const sent = (fields: FlatFields, kind = transcribe) =>
      new TextDecoder().decode(Result.getOrThrow(kind.prepare(fields, context)).body)
    assert.include(sent(transcribed({ metadata: long })), `"metadata":${long}`)
    assert.include(sent(processed({ result: long }), process), `"result":${long}`)
    const data = `${JSON.stringify(dataEvent).slice(0, -1)},"metadata":${long},"tag":${long}}`
    assert.include(sent(["data", data]), `"metadata":${long}`)
    assert.include(sent(["data", data]), `"attributes":{"tag":${long}}`)
  })

  it("a field data next to others is a field like any other", () => {
    assert.deepStrictEqual(body(transcribed({ data: "{}" })).attributes, { data: "{}" })
  })

  it("expects max(1, floor(seconds × 5.555556 + 0.5)) credits", () => {
    for (const [seconds, credits] of [
      ["0", 1],
      ["0.1", 1],
      ["10.5", 58],
      ["60", 333],
      ["86400", 480_000]
    ] as const) {
      const prepared = transcribe.prepare(transcribed({ audio_seconds: seconds }), context)
      assert(Result.isSuccess(prepared))
      assert.strictEqual(prepared.success.expectedCredits, credits)
    }
  })

  it("takes a valid traceparent, to link to", () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    const prepared = transcribe.prepare(transcribed({ traceparent }), context)
    assert(Result.isSuccess(prepared))
    assert.strictEqual(prepared.success.traceparent, traceparent)
  })
})

describe("times", () => {
  it.each([
    ["2026-01-02T03:04:05Z", now],
    ["2026-01-02T03:04:05.678Z", now + 678],
    ["2026-01-02T03:04:05.678901Z", now + 678],
    ["2026-01-02T05:34:05+02:30", now],
    ["2026-01-02T05:34:05+0230", now],
    ["2026-01-02T01:04:05-02", now],
    ["2026-01-02T03:04:05,5Z", now + 500],
    [String(now), now]
  ])("%s is read", (text, time) => {
    assert.strictEqual(body(transcribed({ completed_at: text })).completed_at, new Date(time).toISOString())
  })

  it.each([
    "2026-01-02T03:04:05",
    "2026-01-02",
    "2026-02-30T03:04:05Z",
    "2026-13-01T03:04:05Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:60:00Z",
    "2026-01-02T03:04:05+99:00",
    "yesterday",
    "",
    " 1767323045000",
    "1767323045000.5",
    "0123",
    "1e12",
    "99999999999999999999"
  ])("%s is refused", (text) => {
    assert.match(problem(transcribed({ completed_at: text })), /^completed_at: must be an ISO 8601 time/)
  })

  it("must be in order", () => {
    assert.strictEqual(
      problem(transcribed({ started_at: String(now + 1) })),
      "started_at: must not be after completed_at"
    )
    body(transcribed({ started_at: String(now) }))
  })

  it("may be as far in the future as EVENT_MAX_SKEW and as old as EVENT_MAX_AGE, not a millisecond more", () => {
    const at = (time: number) => transcribed({ started_at: String(time), completed_at: String(time) })
    body(at(now + 300_000))
    assert.match(problem(at(now + 300_001)), /^completed_at: .*EVENT_MAX_SKEW/)
    body(at(now - 7 * day))
    assert.match(problem(at(now - 7 * day - 1)), /^completed_at: .*EVENT_MAX_AGE/)
  })

  it("are old by the time in the entry's id, so that waiting makes no event too old", () => {
    body(transcribed(), transcribe, { now: now + 400 * day })
  })

  it("have no bounds on a retry or replay", () => {
    body(transcribed({ started_at: "0", completed_at: "0" }), transcribe, { firstReading: false })
  })
})

describe("what the contract does not allow", () => {
  it.each(["event_id", "user_id", "device_id", "session_id", "started_at", "completed_at", "audio_seconds"])(
    "a transcribe event without %s",
    (name) => assert.strictEqual(problem(without(transcribed(), name)), `${name}: is required`)
  )

  it.each(["model", "result", "prompt_tokens", "completion_tokens", "total_tokens"])(
    "a process event without %s",
    (name) => assert.strictEqual(problem(without(processed(), name), process), `${name}: is required`)
  )

  const rows: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
    [{ event_id: "" }, /^event_id: must be 1 to 128/],
    [{ event_id: "a b" }, /^event_id/],
    [{ event_id: "é" }, /^event_id/],
    [{ event_id: "x".repeat(129) }, /^event_id/],
    [{ user_id: "" }, /^user_id: must be 1 to 128 characters/],
    [{ session_id: "x".repeat(129) }, /^session_id/],
    [{ audio_seconds: "" }, /^audio_seconds: must be a number/],
    [{ audio_seconds: " 1" }, /^audio_seconds: must be a number/],
    [{ audio_seconds: "NaN" }, /^audio_seconds: must be a number/],
    [{ audio_seconds: "Infinity" }, /^audio_seconds: must be a number/],
    [{ audio_seconds: "0x10" }, /^audio_seconds: must be a number/],
    [{ audio_seconds: "+1" }, /^audio_seconds: must be a number/],
    [{ audio_seconds: "01" }, /^audio_seconds: must be a number/],
    [{ audio_seconds: "1." }, /^audio_seconds: must be a number/],
    [{ audio_seconds: "-0.1" }, /^audio_seconds: must be 0 to 86,400/],
    [{ audio_seconds: "86400.1" }, /^audio_seconds: must be 0 to 86,400/],
    [{ audio_seconds: "1e400" }, /^audio_seconds/],
    [{ model: "" }, /^model: must not be empty/],
    [{ metadata: "[]" }, /^metadata: must be a JSON object/],
    [{ metadata: "{" }, /^metadata: must be a JSON object/],
    [{ metadata: "null" }, /^metadata: must be a JSON object/],
    [{ metadata: "12345678901234567890" }, /^metadata: must be a JSON object/],
    [{ metadata: `{"deep":${"[".repeat(64)}${"]".repeat(64)}}` }, /^metadata: must be .* at most 64 levels deep/],
    [{ metadata: `{"wide":[${"1,".repeat(9_999)}1]}` }, /^metadata: must be .* at most 10,000 members/],
    [{ metadata: '{"session_id":"other"}' }, /^metadata: its session_id/],
    [{ metadata: '{"session_id":1}' }, /^metadata: its session_id/],
    [{ metadata_sha256: "00" }, /^metadata_sha256: must be the hex SHA-256/],
    [{ metadata_sha256: "0".repeat(64) }, /^metadata_sha256: must be the SHA-256/],
    [{ __proto__x: "", ["__proto__"]: "x" }, /^__proto__/]
  ]
  it.each(rows)("transcribe %j", (more, message) => {
    assert.match(problem(transcribed(more)), message)
  })

  const processRows: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
    [{ total_tokens: "121" }, /^total_tokens: must be prompt_tokens \+ completion_tokens/],
    [{ prompt_tokens: "-1" }, /^prompt_tokens: must be a safe integer/],
    [{ prompt_tokens: "1.5" }, /^prompt_tokens: must be a safe integer/],
    [{ prompt_tokens: "9007199254740993" }, /^prompt_tokens: must be a safe integer/],
    [{ result: "" }, /^result: must be a non-empty/],
    [{ result: "{}" }, /^result: must be a non-empty/],
    [{ result: "{broken" }, /^result: must be a non-empty/],
    [{ result: `{"a":${"[".repeat(64)}${"]".repeat(64)}}` }, /^result: must be a non-empty .* 64 levels deep/]
  ]
  it.each(processRows)("process %j", (more, message) => {
    assert.match(problem(processed(more), process), message)
  })

  const data: ReadonlyArray<readonly [string, RegExp]> = [
    ["nonsense", /^data: must be a JSON object/],
    ["[]", /^data: must be a JSON object/],
    ["null", /^data: must be a JSON object/],
    ['{"__proto__":1}', /^__proto__/],
    ["12345678901234567890", /^data: must be a JSON object/],
    ['{"a":'.repeat(65), /^data: must not be nested deeper than 64 levels/],
    [`{"a":[${"1,".repeat(10_000)}1]}`, /^data: must have at most 10,000 members/],
    [JSON.stringify({ ...dataEvent, user_id: 0 }).replace(":0", ":12345678901234567890"), /^user_id: must be a string/],
    [JSON.stringify({ ...dataEvent, audio_seconds: "10.5" }), /^audio_seconds: must be a number/],
    [JSON.stringify({ ...dataEvent, user_id: 7 }), /^user_id: must be a string/],
    [JSON.stringify({ ...dataEvent, metadata: "{}" }), /^metadata: must be a JSON object/],
    [JSON.stringify({ ...dataEvent, completed_at: true }), /^completed_at: must be an ISO 8601 time/]
  ]
  it.each(data)("data %s", (text, message) => {
    assert.match(problem(["data", text]), message)
  })

  it("a field name that occurs twice", () => {
    assert.strictEqual(problem([...transcribed(), "user_id", "other"]), "user_id: must not occur twice")
    const twice = '{"a":{"b":1,"b":2},"c":["\\"d\\":{",{"c":1}],"e:":"}","user\\u005fid":1,"user_id":2}'
    assert.strictEqual(problem(["data", twice]), "user_id: must not occur twice")
    assert.strictEqual(problem(["data", twice.replace("user_id", "other")]), "event_id: is required")
  })

  it("more than 256 fields, or more than 1 MiB", () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`extra-${i}`, ""]))
    assert.match(problem(transcribed(many)), /^entry: must have at most 256 fields/)
    assert.match(problem(transcribed({ note: "é".repeat(600_000) })), /^entry: must be at most 1 MiB/)
    body(transcribed({ note: "x".repeat(1_000_000) }))
  })

  it("bytes that are not UTF-8", () => {
    assert.strictEqual(problem(transcribed({ note: "a\udcffb" })), "note: must be UTF-8")
    assert.strictEqual(problem([...transcribed(), "na\udcffme", "x"]), "entry: must have field names in UTF-8")
  })

  it("a JSON too deep to be written again", () => {
    const deep = `${'{"a":'.repeat(150_000)}1${"}".repeat(150_000)}`
    assert.match(problem(transcribed({ metadata: deep })), /^(entry|metadata): must /)
  })

  it("a metadata hash is compared over the bytes as they stand", () => {
    const metadata = '{ "session_id" : "session-1", "name":"żółć" }'
    const digest = createHash("sha256").update(metadata).digest("hex")
    body(transcribed({ metadata, metadata_sha256: digest.toUpperCase() }))
    assert.match(problem(transcribed({ metadata: `${metadata} `, metadata_sha256: digest })), /^metadata_sha256/)
    assert.match(problem(without(transcribed({ metadata_sha256: digest }), "metadata")), /^metadata_sha256/)
  })
})

describe("whatever a producer can write", () => {
  const anyText = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.constantFrom("", "0", "-1", "{}", "[]", "null", "{", "1e999", "\udc80", `${now}`, "2026-01-02T03:04:05Z")
  )
  const names = [...transcribed(), ...processed()].filter((_, i) => i % 2 === 0)
  const anyName = fc.oneof(fc.constantFrom(...names, "__proto__", "constructor", "data"), fc.string())

  it("is valid or names a field and a rule, never anything else", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyName, anyText), { maxLength: 20 }), fc.boolean(), (pairs, valid) => {
        for (const kind of [transcribe, process]) {
          const base = valid ? (kind === transcribe ? transcribed() : processed()) : []
          const prepared = kind.prepare([...base, ...pairs.flat()], context)
          if (Result.isSuccess(prepared)) {
            JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(prepared.success.body))
          } else {
            assert.isNotEmpty(prepared.failure.field)
            assert.match(prepared.failure.rule, /^(must|is|its) /)
          }
        }
      }),
      { numRuns: 2_000 }
    )
  })

  it("one changed field of a valid event is refused by its own name, or harmless", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), anyText, (name, value) => {
        const at = transcribed().indexOf(name)
        if (at < 0) return
        const fields = [...transcribed()]
        fields[at + 1] = value
        const prepared = transcribe.prepare(fields, context)
        if (Result.isSuccess(prepared)) return
        const related = name === "started_at" || name === "completed_at" ? ["started_at", "completed_at"] : [name]
        // Metadata belongs to a session: changing that breaks its metadata.
        if (name === "session_id") related.push("metadata")
        assert.include(related, prepared.failure.field)
      }),
      { numRuns: 2_000 }
    )
  })
})
