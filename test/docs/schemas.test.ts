/** The machine-readable descriptions in `schemas/` are those of the code, valid by themselves, and agree with what the service takes. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import specs from "@asyncapi/specs"
import { assert, describe, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { Ajv } from "ajv"
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import { Result } from "effect"
import * as fc from "fast-check"
import { documents, textOf } from "../../scripts/documents/documents.ts"
import type { FlatFields } from "../../src/domain/events/entry.ts"
import { process as processKind, transcribe } from "../../src/domain/events/jobEvent.ts"
import { objectOf, processFields, transcribeFields } from "../support/events.ts"

const now = Date.UTC(2026, 0, 2, 3, 4, 5)
const kinds = { transcribe, process: processKind }
type KindName = keyof typeof kinds

const published = (name: string) => JSON.parse(readFileSync(new URL(`../../schemas/${name}`, import.meta.url), "utf8"))

const prepare = (kind: KindName, fields: FlatFields) =>
  kinds[kind].prepare(fields, {
    source: { stream: "s", id: `${now}-0` },
    now,
    firstReading: true,
    maxAgeMs: 7 * 86_400_000,
    maxSkewMs: 300_000,
    partedBy: [],
    sha256: (bytes) => createHash("sha256").update(bytes).digest()
  })

const ajv = () => new Ajv2020({ strict: false, allErrors: false })
const event = (kind: KindName, form: "flat" | "data") => ajv().compile(published(`${kind}.${form}.schema.json`))

const openapi = published("openapi.json")
const component = (name: string): ValidateFunction => {
  const validator = ajv()
  validator.addSchema(openapi, "openapi")
  return validator.compile({ $ref: `openapi#/components/schemas/${name}` })
}

/** The schemas of what fields hold as JSON, by the field's name, wherever they stand in a payload. */
const contentSchemas = (payload: object): ReadonlyMap<string, object> => {
  const found = new Map<string, object>()
  JSON.stringify(payload, (name, value) => {
    if (value?.contentSchema !== undefined) found.set(name, value.contentSchema)
    return value
  })
  return found
}

interface Content {
  readonly schema: unknown
  readonly example?: unknown
  readonly examples?: Record<string, { readonly value: unknown }>
}
interface Operation {
  readonly requestBody?: { readonly content?: Record<string, Content> }
  readonly responses: Record<string, { readonly content?: Record<string, Content> }>
}

describe("the descriptions in schemas/", () => {
  for (const [name, document] of Object.entries(documents)) {
    it(`${name} is what the code makes (npm run documents writes it)`, () => {
      assert.strictEqual(readFileSync(new URL(`../../schemas/${name}`, import.meta.url), "utf8"), textOf(document))
    })
  }

  it("openapi.json is valid OpenAPI 3.1, and so are its examples", async () => {
    const validator = new Validator()
    const { errors, valid } = await validator.validate(structuredClone(openapi))
    assert.isTrue(valid, JSON.stringify(errors))
    assert.strictEqual(validator.version, "3.1")
    const operation = openapi.paths["/api/jobs/add"].post
    const examplesOf = (content: Content) =>
      content.examples === undefined ? [content.example] : Object.values(content.examples).map(({ value }) => value)
    const contents = Object.values(openapi.paths)
      .flatMap((path) => Object.values(path as Record<string, Operation>))
      .flatMap(({ requestBody, responses }) => [requestBody, ...Object.values(responses)])
      .flatMap((one) => one?.content?.["application/json"] ?? [])
    assert.isAbove(contents.length, 10)
    for (const content of contents) {
      const validator = ajv()
      validator.addSchema(openapi, "openapi")
      const schema = JSON.parse(JSON.stringify(content.schema).replaceAll('"#/', '"openapi#/'))
      for (const example of examplesOf(content)) {
        assert.isTrue(validator.validate(schema, example), `${JSON.stringify(example)}: ${validator.errorsText()}`)
      }
    }
    assert.include(operation.responses["409"].description, "success")
  })

  it("asyncapi.json is valid AsyncAPI 3.0", () => {
    const validate = new Ajv({ strict: false, meta: false, validateFormats: false, logger: false }).compile(
      specs.schemas["3.0.0"] as object
    )
    assert.isTrue(validate(published("asyncapi.json")), JSON.stringify(validate.errors?.slice(0, 3)))
    for (const message of Object.values(published("asyncapi.json").components.messages)) {
      const { examples, payload } = message as {
        readonly examples: ReadonlyArray<{ payload: object }>
        payload: object
      }
      assert.isAbove(examples.length, 0)
      for (const example of examples) {
        const validator = ajv()
        assert.isTrue(validator.validate(payload, example.payload), validator.errorsText())
        // What stands in a field as JSON is held to the schema of its content.
        for (const [name, text] of Object.entries(example.payload)) {
          const content = contentSchemas(payload).get(name)
          if (content === undefined) continue
          assert.isTrue(validator.validate(content, JSON.parse(text)), `${name}: ${validator.errorsText()}`)
        }
      }
    }
    const broken = { ...published("asyncapi.json"), channels: { transcribe: { addresses: 1 } } }
    assert.isFalse(validate(broken))
  })
})

/** What a schema of one field's JSON cannot say. */
const beyondSchemas = [
  /must not be after completed_at/,
  /further in the future|older than/,
  /its session_id must equal/,
  /without metadata|SHA-256 of the metadata's bytes/,
  /must be prompt_tokens \+ completion_tokens/,
  // A day that its month does not have.
  /must be an ISO 8601 time/,
  // The value of a number that stands as text, and JSON that stands as text.
  /must be 0 to 86,400 seconds|must be a safe integer/,
  /must be a JSON object, nested|non-empty JSON object, nested/,
  /nested deeper than 64|10,000 members/
]

const oddText = fc.constantFrom(
  ...[
    "",
    " ",
    "0",
    "-1",
    "1e3",
    "01",
    "86400",
    "86401",
    "1.5",
    "NaN",
    "{}",
    "{",
    '{"a":1}',
    "[]",
    "null",
    "ü",
    "🎈".repeat(128)
  ],
  ...[
    "x".repeat(128),
    "x".repeat(129),
    "a b",
    "a".repeat(64),
    "2026-01-02T03:04:05Z",
    "2026-02-30T00:00:00Z",
    "2026-01-02"
  ],
  ...[
    "2026-01-02T03:04+01",
    "2026-01-02T24:00:00Z",
    `${now}`,
    "8640000000000001",
    "8640000000000000",
    "-0",
    "9007199254740992"
  ]
)
const oddValue = fc.oneof(
  oddText,
  fc.constantFrom<unknown>(0, -1, 0.5, 10, 86_400, 86_401, now, 1e300, 2 ** 53, null, true, [], {}, { a: {} }, -8.64e15)
)

const sampleOf = (kind: KindName, form: "flat" | "data"): Record<string, unknown> => {
  const flat = objectOf(kind === "transcribe" ? transcribeFields("evt-1", now) : processFields("evt-1", now))
  if (form === "flat") return flat
  const own =
    kind === "transcribe"
      ? { audio_seconds: 10.5, metadata: { session_id: "session-1" } }
      : {
          prompt_tokens: 100,
          completion_tokens: 20,
          total_tokens: 120,
          result: { a: 1 },
          started_at: now - 1,
          completed_at: now
        }
  return { ...flat, ...own }
}

describe("the schemas of events and the service", () => {
  for (const kind of ["transcribe", "process"] as const) {
    for (const form of ["flat", "data"] as const) {
      it(`agree on ${kind} events in the form ${form}`, () => {
        const isValid = event(kind, form)
        const sample = sampleOf(kind, form)
        const names = [...Object.keys(sample), "metadata_sha256", "traceparent", "other"]
        const removed = Symbol("removed")
        const change = fc.tuple(
          fc.constantFrom(...names),
          fc.oneof(form === "flat" ? oddText : oddValue, fc.constant(removed))
        )
        const seen = { taken: 0, refused: 0 }
        fc.assert(
          fc.property(fc.array(change, { maxLength: 2 }), (changes) => {
            const changed: Record<string, unknown> = { ...sample }
            for (const [name, value] of changes) {
              if (value === removed) delete changed[name]
              else changed[name] = value
            }
            const fields =
              form === "data" ? ["data", JSON.stringify(changed)] : (Object.entries(changed).flat() as Array<string>)
            const read = prepare(kind, fields)
            const said = isValid(changed)
            const shown = `${JSON.stringify(changed)}: ${JSON.stringify(isValid.errors)}`
            if (Result.isSuccess(read)) assert.isTrue(said, `the service takes it: ${shown}`)
            else if (said) {
              assert.isTrue(
                beyondSchemas.some((rule) => rule.test(read.failure.message)),
                `${read.failure.message}: the schema takes it: ${shown}`
              )
            }
            seen[Result.isSuccess(read) ? "taken" : "refused"] += 1
          }),
          { numRuns: 2_000 }
        )
        assert.isAbove(Math.min(seen.taken, seen.refused), 100)
      })
    }
  }

  it("agree on the number of fields, and on the one name that is not allowed", () => {
    const many = Object.fromEntries(Array.from({ length: 248 }, (_, at) => [`field_${at}`, "x"]))
    const sample = { ...sampleOf("transcribe", "flat"), ...many }
    for (const [more, taken] of [
      [{}, Object.keys(sample).length <= 256],
      [{ one: "more", two: "more" }, false],
      [JSON.parse('{"__proto__":"x"}'), false]
    ] as const) {
      const fields = [...Object.entries(sample), ...Object.entries(more)].flat() as Array<string>
      const value = JSON.parse(
        `${JSON.stringify(sample).slice(0, -1)}${JSON.stringify(more)
          .replace(/^\{(?=.)/, ",")
          .replace(/^,\}$/, "}")}`
      )
      assert.strictEqual(Result.isSuccess(prepare("transcribe", fields)), taken)
      assert.strictEqual(event("transcribe", "flat")(value), taken)
    }
  })
})

describe("the schema of requests", () => {
  it("allows every body that the service makes", () => {
    const isRequest = component("JobRequest")
    for (const kind of ["transcribe", "process"] as const) {
      for (const form of ["flat", "data"] as const) {
        const sample = {
          ...sampleOf(kind, form),
          note: "kept",
          started_at: form === "flat" ? "2025-12-31T23:00+02" : 0
        }
        const fields =
          form === "data" ? ["data", JSON.stringify(sample)] : (Object.entries(sample).flat() as Array<string>)
        const read = prepare(kind, fields)
        assert(Result.isSuccess(read), Result.isFailure(read) ? read.failure.message : "")
        const body = JSON.parse(new TextDecoder().decode(read.success.body))
        assert.isTrue(isRequest(body), JSON.stringify(isRequest.errors))
        assert.isFalse(isRequest({ ...body, event_type: "other" }))
        assert.isFalse(isRequest({ ...body, completed_at: now }))
      }
    }
  })
})
