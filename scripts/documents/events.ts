/** JSON Schemas of events and of what the collector makes of them, from the schemas that the service decodes with. */
import { Schema } from "effect"
import type { Form } from "../../src/domain/events/entry.ts"
import { eventFieldsOf } from "../../src/domain/events/jobEvent.ts"

export type Json = { readonly [name: string]: unknown }
type KindName = "transcribe" | "process"

const dialect = "https://json-schema.org/draft/2020-12/schema"

const descriptions: Readonly<Record<string, string>> = {
  event_id: "Unique over both kinds. The API deduplicates by it.",
  user_id: "Who is charged.",
  device_id: "Where it happened.",
  session_id: "In which of the user's sessions it happened.",
  started_at: "ISO 8601 with an offset or Z, or integer epoch milliseconds. Not after completed_at.",
  completed_at:
    "ISO 8601 with an offset or Z, or integer epoch milliseconds. At most EVENT_MAX_SKEW after now and EVENT_MAX_AGE before.",
  audio_seconds: "The length of what was transcribed: 0 to 86,400. The job's credits follow from it.",
  model: "Which model did the work.",
  result: "Text, or a JSON object. A flat one that starts with { must be a JSON object.",
  prompt_tokens: "A safe integer of at least 0.",
  completion_tokens: "A safe integer of at least 0.",
  total_tokens: "prompt_tokens + completion_tokens.",
  metadata: "Its session_id, where it has one, equals the event's.",
  metadata_sha256: "SHA-256 of the metadata's bytes as they stand in the entry, where that is flat."
}

/** A field's JSON, as its schema tells it. */
const jsonOf = (name: string, field: Schema.Constraint): Json => {
  const fragment = Schema.resolveAnnotations(field)?.jsonSchema
  if (typeof fragment !== "object" || fragment === null) throw new Error(`${name} has no JSON Schema`)
  const description = descriptions[name]
  return { ...fragment, ...(description === undefined ? {} : { description }) }
}

/** An object's properties and which of them must be there. */
export const shapeOf = (kind: KindName, form: Form) => {
  const fields = Object.entries(eventFieldsOf(kind, form))
  return {
    properties: Object.fromEntries(fields.map(([name, field]) => [name, jsonOf(name, field)])),
    required: fields.filter(([, field]) => field.ast.context?.isOptional !== true).map(([name]) => name)
  }
}

const traceparent = {
  type: "string",
  description: "W3C trace context; the delivery's span links to it. One that does not parse is passed over."
}

/** An event of a kind as it stands in an entry: its flat fields, or the object in its only field `data`. */
const eventSchema = (kind: KindName, form: Form): Json => {
  const { properties, required } = shapeOf(kind, form)
  return {
    $schema: dialect,
    $id: `urn:job-collector:${kind}:${form}`,
    title: `A ${kind} event, ${form === "flat" ? "as flat fields" : "as the JSON object in the field data"}`,
    description:
      "Allows all that the service takes. What no schema can say (the order of times, sums, digests, an entry's size) is " +
      "told by `job-collector lint`.",
    type: "object",
    properties: {
      ...properties,
      traceparent: form === "flat" ? traceparent : { description: traceparent.description }
    },
    required,
    propertyNames: { not: { const: "__proto__" } },
    maxProperties: 256,
    additionalProperties: form === "flat" ? { type: "string" } : true
  }
}

/** File name → schema. */
export const eventSchemas: Readonly<Record<string, Json>> = Object.fromEntries(
  (["transcribe", "process"] as const).flatMap((kind) =>
    (["flat", "data"] as const).map((form) => [`${kind}.${form}.schema.json`, eventSchema(kind, form)])
  )
)

/** The schema of a value whose JSON is what it is decoded from. */
export const plain = (schema: Schema.Constraint): Json => Schema.toJsonSchemaDocument(schema).schema as Json
