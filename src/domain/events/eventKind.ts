/**
 * A kind of event: how an entry of its stream is read and what request delivers it. Transcribe and process are two
 * kinds; a host app adds its own with {@link make}.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { utf8 } from "../signing/bytes.ts"
import { type PartitionValues, partitionsOf } from "../traffic/isolation.ts"
import { type EventFields, eventFields, type FlatFields, InvalidEvent } from "./entry.ts"

/** Where an event was first written: part of its request's body. */
export interface Source {
  readonly stream: string
  readonly id: string
}

/** What reading an event needs to know beside its fields. */
export interface ReadContext {
  readonly source: Source
  /** Epoch milliseconds. */
  readonly now: number
  /** False on a retry or replay: the time bounds were checked before. */
  readonly firstReading: boolean
  readonly maxAgeMs: number
  readonly maxSkewMs: number
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** The fields whose values are partitions (contract section 6). */
  readonly partedBy: ReadonlyArray<string>
}

/** A request ready to be signed and sent. */
export interface PreparedRequest {
  readonly eventId: string
  /** Path below the API's base URL, with its leading slash. */
  readonly path: string
  /** JSON. */
  readonly body: Uint8Array
  /** What the API should deduct, where the kind can tell. */
  readonly expectedCredits: number | undefined
  /** The producer's W3C `traceparent`, if the event carries a valid one. */
  readonly traceparent: string | undefined
  /** The event's value of each field of `partedBy`; undefined where it lacks the field. */
  readonly partitions: PartitionValues
}

/** How an entry of one stream becomes a request: made by {@link make}, or one of the two built-in kinds. */
export interface EventKind {
  /** The `event_type` and metric label. */
  readonly name: string
  /** The stream's key; undefined for the two kinds whose streams belong to a stream set. */
  readonly stream: string | undefined
  readonly prepare: (fields: FlatFields, context: ReadContext) => Result.Result<PreparedRequest, InvalidEvent>
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    const own = "annotations" in issue ? issue.annotations?.message : undefined
    if (typeof own === "string") return own
    return issue._tag === "MissingKey" ? "is required" : SchemaIssue.defaultLeafHook(issue)
  }
})

/** The first broken rule of a failed decoding. */
export const invalidEvent = (issue: SchemaIssue.Issue): InvalidEvent => {
  const [first] = formatIssue(issue).issues
  const [field] = first?.path ?? []
  const name = typeof field === "object" ? field.key : field
  return new InvalidEvent({ field: String(name ?? "entry"), rule: first?.message ?? "is not valid" })
}

const broken = (field: string, rule: string) => Result.fail(new InvalidEvent({ field, rule }))

/** A body's JSON bytes; a value that JSON cannot hold makes the event invalid. */
export const encodeBody = (body: unknown): Result.Result<Uint8Array, InvalidEvent> => {
  const unbuilt = "must make a request: its JSON cannot be built"
  try {
    const json: string | undefined = JSON.stringify(body)
    return json === undefined ? broken("entry", unbuilt) : Result.succeed(utf8(json))
  } catch {
    return broken("entry", unbuilt)
  }
}

const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** The event's W3C trace context; one that does not parse is ignored, as the W3C recommendation asks. */
export const traceparentOf = ({ values }: EventFields): string | undefined =>
  typeof values.traceparent === "string" && traceparent.test(values.traceparent) ? values.traceparent : undefined

/** A request as a host app's own kind describes it. */
export interface KindRequest {
  /** Below `apiBaseUrl`, with its leading slash; it is sent by POST. */
  readonly path: string
  /** Any JSON value. */
  readonly body: unknown
  /** What the API deduplicates by: 1 to 128 visible ASCII characters. */
  readonly idempotencyKey: string
}

const idempotencyKey = /^[!-~]{1,128}$/

/** Whether a host app's own code returned a request, as its type promises. */
const isRequest = (given: Partial<KindRequest> | null | undefined): given is KindRequest =>
  typeof given?.path === "string" && typeof given.idempotencyKey === "string"

/** What a host app's own code makes of an event; if that throws, only this event is affected. */
const describe = (
  make: () => Result.Result<KindRequest, Schema.SchemaError>
): Result.Result<KindRequest, InvalidEvent> => {
  try {
    return Result.mapError(make(), ({ issue }) => invalidEvent(issue))
  } catch (cause) {
    return broken(
      "entry",
      `must make a request: ${cause instanceof Error ? cause.message : "its kind does not make one"}`
    )
  }
}

/**
 * An event kind of a host app's own: a stream, a schema for its fields (strings by name, or the members of the JSON
 * object in a single field `data`) and the request that delivers it. The structural rules of contract section 3 hold
 * for it as well; what its schema refuses is abandoned as `invalid`.
 *
 * `request` gives the path below `apiBaseUrl`, any JSON value as the body, and an idempotency key of 1 to 128 visible ASCII
 * characters. Where it throws, the event is abandoned as `invalid`. Success is what contract section 4 says.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { EventKind, JobCollector } from "job-collector"
 *
 * const refunds = EventKind.make({
 *   name: "refund",
 *   stream: "shop:events:refund",
 *   schema: Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString }),
 *   request: (refund) => ({ path: "/api/refunds", body: refund, idempotencyKey: refund.event_id })
 * })
 *
 * export const collector = JobCollector.layer({ apiBaseUrl: "https://api.example.com", kinds: [refunds] })
 * ```
 */
export const make = <A, I>(options: {
  /** The metric label: any name but `transcribe`, `process` and `dlq`, and no other kind's. */
  readonly name: string
  /** The key of its source stream. */
  readonly stream: string
  /** What an event must be; its fields are strings where they come flat. */
  readonly schema: Schema.Codec<A, I>
  /** The request of an event, given where the event was first written. */
  readonly request: (event: A, source: Source) => KindRequest
}): EventKind => {
  const decode = Schema.decodeUnknownResult(options.schema)
  return {
    name: options.name,
    stream: options.stream,
    prepare: (fields, { partedBy, source }) =>
      // A schema of the host's expects plain numbers.
      Result.flatMap(eventFields(fields, JSON.parse), (read) => {
        const described = describe(() => Result.map(decode(read.values), (event) => options.request(event, source)))
        return Result.flatMap(described, (request) => {
          if (!isRequest(request)) return broken("entry", "must make a request: its kind gives no path and key")
          const { body, idempotencyKey: eventId, path } = request
          if (!idempotencyKey.test(eventId)) return broken("idempotencyKey", "must be 1 to 128 characters of ! to ~")
          if (!path.startsWith("/")) return broken("path", "must start with /")
          return Result.map(encodeBody(body), (bytes) => ({
            eventId,
            path,
            body: bytes,
            expectedCredits: undefined,
            traceparent: traceparentOf(read),
            partitions: partitionsOf(read.values, partedBy)
          }))
        })
      })
  }
}
