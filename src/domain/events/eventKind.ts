/**
 * A kind of event: how an entry of its stream is read and what request delivers it. Transcribe and process are two
 * kinds; a host app adds its own with {@link make}.
 */
import { Cause, type Context, Duration, Effect, Exit, Result, Schema, SchemaIssue } from "effect"
import { type Answer, attemptResult } from "../delivery/answer.ts"
import type { AttemptResult } from "../delivery/attempt.ts"
import {
  accepted,
  anySuccess,
  type KindAnswer,
  type KindVerdict,
  ownRule,
  refusedWith
} from "../delivery/kindAnswer.ts"
import { type RetrySchedule, retrySchedule } from "../delivery/retry.ts"
import { utf8 } from "../signing/bytes.ts"
import { type PartitionValues, partitionsOf } from "../traffic/isolation.ts"
import { type Rate, rateOf } from "../traffic/rate.ts"
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
  /** POST where it does not say. */
  readonly method?: string | undefined
  /** Beside those that every delivery has; names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** What the API should deduct, where the kind can tell. */
  readonly expectedCredits: number | undefined
  /** The producer's W3C `traceparent`, if the event carries a valid one. */
  readonly traceparent: string | undefined
  /** The event's value of each field of `partedBy`; undefined where it lacks the field. */
  readonly partitions: PartitionValues
}

/** No request could be made of an event, and that is not known to be the event's fault. */
export interface RequestUnmade {
  readonly _tag: "RequestUnmade"
  /** Whether the kind's code broke off with a defect; else its effect failed, and may succeed another time. */
  readonly isDefect: boolean
  readonly cause: Cause.Cause<unknown>
  readonly message: string
}

/** An event's request, or why there is none. */
export type Prepared = Result.Result<PreparedRequest, InvalidEvent | RequestUnmade>

/**
 * How an entry of one stream becomes a request and what its answer means: made by {@link make}, or one of the two built-in kinds.
 * `R` is what its request needs, given where `JobCollector.layer` is built.
 */
export interface EventKind<out R = never> {
  /** The `event_type` and metric label. */
  readonly name: string
  /** The stream's key; undefined for the two kinds whose streams belong to a stream set. */
  readonly stream: string | undefined
  readonly prepare: (fields: FlatFields, context: ReadContext) => Prepared | Effect.Effect<Prepared, never, R>
  readonly success: (answer: Answer) => AttemptResult
  readonly retry: RetrySchedule
  /** Statuses that no retry can help; undefined: those of the collector's options. */
  readonly rejectStatuses: ReadonlySet<number> | undefined
  /** How long one request may take; undefined: as the collector's options say. */
  readonly timeout: Duration.Duration | undefined
  /** The most requests of the kind in flight in one process; undefined: as many as there are permits. */
  readonly concurrency?: number | undefined
  /** The most requests of the kind in a time, of all replicas together; undefined: no limit of its own. */
  readonly rateLimit?: Rate | undefined
}

/** A kind that makes its requests without an effect. */
export interface SyncKind extends EventKind {
  readonly prepare: (fields: FlatFields, context: ReadContext) => Result.Result<PreparedRequest, InvalidEvent>
}

/** The rules of contract sections 4 and 5. */
export const standardRules = {
  success: attemptResult,
  retry: retrySchedule,
  rejectStatuses: undefined,
  timeout: undefined
} as const satisfies Partial<EventKind>

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
  const path = (first?.path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment))
  const field = path.map((name, at) =>
    typeof name === "number" ? `[${name}]` : `${at === 0 ? "" : "."}${String(name)}`
  )
  return new InvalidEvent({ field: field.join("") || "entry", rule: first?.message ?? "is not valid" })
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
  /** Below `apiBaseUrl`, with its leading slash. */
  readonly path: string
  /** Default `POST`. */
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE" | undefined
  /** Beside those of contract section 4, of which only `Content-Type` can be replaced. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Any JSON value. */
  readonly body: unknown
  /** What the API deduplicates by: 1 to 128 visible ASCII characters. */
  readonly idempotencyKey: string
}

const idempotencyKey = /^[!-~]{1,128}$/

/** Whether a host app's own code returned a request, as its type promises. */
const isRequest = (given: Partial<KindRequest> | null | undefined): given is KindRequest =>
  typeof given?.path === "string" && typeof given.idempotencyKey === "string"

const unmade = (cause: Cause.Cause<unknown>): RequestUnmade => {
  const error = Cause.squash(cause)
  const said = error instanceof Error ? error.message : typeof error === "string" ? error : ""
  return {
    _tag: "RequestUnmade",
    isDefect: !Cause.hasFails(cause),
    cause,
    message: said === "" ? "its kind does not make one" : said
  }
}

const methods: ReadonlySet<unknown> = new Set(["POST", "PUT", "PATCH", "DELETE"])
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/
const headerValue = /^[\t\x20-\x7e\x80-\xff]{0,8192}$/
/** What a delivery is signed and told apart by, and what the client says of the connection. */
const ownHeaders: ReadonlySet<string> = new Set([
  ...["authorization", "x-service-id", "x-key-id", "idempotency-key", "x-delivery-attempt", "traceparent"],
  ...["accept-encoding", "content-length", "host", "connection", "transfer-encoding", "expect", "upgrade"],
  ...["content-digest", "signature", "signature-input", "webhook-id", "webhook-timestamp", "webhook-signature"]
])

const headersOf = (
  given: Readonly<Record<string, unknown>>
): Result.Result<Readonly<Record<string, string>>, InvalidEvent> => {
  const headers: Record<string, string> = {}
  for (const [asGiven, value] of Object.entries(given)) {
    if (value === undefined) continue
    const name = asGiven.toLowerCase()
    if (!headerName.test(name) || typeof value !== "string" || !headerValue.test(value)) {
      return broken("headers", `must be names and values of HTTP: ${JSON.stringify(name)} is not`)
    }
    if (ownHeaders.has(name)) return broken("headers", `must not have ${name}, which is the collector's own`)
    headers[name] = value
  }
  return Result.succeed(headers)
}

/** The request that a kind describes, checked: a host app may be written in JavaScript. */
const checked = (
  request: KindRequest,
  read: EventFields,
  partedBy: ReadonlyArray<string>
): Result.Result<PreparedRequest, InvalidEvent> => {
  if (!isRequest(request)) return broken("entry", "must make a request: its kind gives no path and key")
  const { body, headers, idempotencyKey: eventId, method, path } = request
  if (!idempotencyKey.test(eventId)) return broken("idempotencyKey", "must be 1 to 128 characters of ! to ~")
  if (!path.startsWith("/")) return broken("path", "must start with /")
  if (method !== undefined && !methods.has(method)) return broken("method", "must be POST, PUT, PATCH or DELETE")
  const own = headers === undefined || headers === null ? undefined : headersOf(headers)
  if (own !== undefined && Result.isFailure(own)) return Result.fail(own.failure)
  return Result.map(encodeBody(body), (bytes) => ({
    eventId,
    path,
    body: bytes,
    method,
    headers: own?.success,
    expectedCredits: undefined,
    traceparent: traceparentOf(read),
    partitions: partitionsOf(read.values, partedBy)
  }))
}

/** What an event kind of a host app's own is made of. */
export interface KindOptions<A, I, E, R> {
  /** The metric label: any name but `transcribe`, `process` and `dlq`, and no other kind's. */
  readonly name: string
  /** The key of its source stream. */
  readonly stream: string
  /** What an event must be; its fields are strings where they come flat. */
  readonly schema: Schema.Codec<A, I>
  /**
   * The request of an event, given where the event was first written: a value, or an effect that makes one. Where the
   * effect fails, the attempt has failed, and `retry` says when it is made again.
   */
  readonly request: (event: A, source: Source) => KindRequest | Effect.Effect<KindRequest, E, R>
  /** What an answer means, be its status 200, 410 or 503: nothing else tells a failure. Default: any 2xx and 409 is a success, of which `job_id` and `credits_deducted` are kept if there are any. */
  readonly success?: ((answer: KindAnswer) => KindVerdict) | undefined
  /** When a failed event is tried again, at most 1,000 times in all; default {@link retrySchedule}: after 5, 15 and 45 seconds. */
  readonly retry?: RetrySchedule | undefined
  /** Statuses (400 to 599) of failures that no retry can help; default the collector's own `rejectStatuses`. */
  readonly rejectStatuses?: Iterable<number> | undefined
  /** How long one request may take; default the collector's own `apiTimeout`. */
  readonly timeout?: Duration.Input | undefined
  /** The most requests of the kind in flight in one process, at least 1; default the collector's own `deliveryConcurrency`. */
  readonly concurrency?: number | undefined
  /**
   * The most requests of the kind in a time, of all replicas of the group together: `"20 per second"`, or `{ count: 20, perMs: 1_000 }`;
   * default none. Whatever the collector's `deliveryRate` and an operator's `limit` say holds as well.
   */
  readonly rateLimit?: string | Rate | undefined
}

/**
 * An event kind of a host app's own: a stream, a schema for its fields (strings by name, or the members of the JSON
 * object in a single field `data`) and the request that delivers it. The structural rules of contract section 3 hold
 * for it as well; what its schema refuses is abandoned as `invalid`.
 *
 * `request` gives the path below `apiBaseUrl`, any JSON value as the body, and an idempotency key of 1 to 128 visible ASCII
 * characters. Where it throws, the event is abandoned as `invalid`; after three events in a row the kind is paused and its events
 * wait, but for one every 10 seconds. What an answer means, when a failed event is tried again, and how long a request may
 * take the kind says itself, where it is not as usual.
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
 *
 * @example
 * ```ts
 * import { Context, Effect, Schedule, Schema } from "effect"
 * import { EventKind } from "job-collector"
 *
 * class Prices extends Context.Service<Prices, { readonly of: (item: string) => Effect.Effect<number> }>()("Prices") {}
 *
 * // Tried every minute for fifteen hours, and done only when the shop says so. `JobCollector.layer` then needs `Prices`.
 * export const orders = EventKind.make({
 *   name: "order",
 *   stream: "shop:events:order",
 *   schema: Schema.Struct({ order_id: Schema.NonEmptyString, item: Schema.NonEmptyString }),
 *   request: ({ item, order_id }) =>
 *     Effect.map(Prices.use((prices) => prices.of(item)), (price) => ({
 *       method: "PUT",
 *       path: `/api/orders/${order_id}`,
 *       headers: { "content-type": "application/vnd.shop+json" },
 *       body: { item, price },
 *       idempotencyKey: order_id
 *     })),
 *   success: ({ status }) => (status === 201 ? EventKind.accepted() : EventKind.refused(`HTTP_${status}`)),
 *   retry: Schedule.spaced("1 minute").pipe(Schedule.upTo({ times: 900 })),
 *   rejectStatuses: [410],
 *   timeout: "30 seconds",
 *   concurrency: 4,
 *   rateLimit: "20 per second"
 * })
 * ```
 */
export const make = <A, I, E = never, R = never>(options: KindOptions<A, I, E, R>): EventKind<R> => {
  const decode = Schema.decodeUnknownResult(options.schema)
  const { concurrency, rateLimit, rejectStatuses, retry, success, timeout } = options
  /** What a host app's own code makes of an event; if that throws, no other event is affected. */
  const describe = (
    event: A,
    source: Source
  ): Result.Result<KindRequest | Effect.Effect<KindRequest, E, R>, RequestUnmade> => {
    try {
      return Result.succeed(options.request(event, source))
    } catch (cause) {
      return Result.fail(unmade(Cause.die(cause)))
    }
  }
  return {
    name: options.name,
    stream: options.stream,
    success: success === undefined ? anySuccess : ownRule(success),
    retry: retry ?? retrySchedule,
    rejectStatuses: rejectStatuses === undefined ? undefined : new Set(rejectStatuses),
    timeout: timeout === undefined ? undefined : Duration.fromInputUnsafe(timeout),
    concurrency,
    // A text that names none is found where the options are checked.
    rateLimit: typeof rateLimit === "string" ? (rateOf(rateLimit) ?? { count: Number.NaN, perMs: 0 }) : rateLimit,
    prepare: (fields, { partedBy, source }) => {
      // A schema of the host's expects plain numbers.
      const read = eventFields(fields, JSON.parse)
      if (Result.isFailure(read)) return Result.fail(read.failure)
      const event = decode(read.success.values)
      if (Result.isFailure(event)) return Result.fail(invalidEvent(event.failure.issue))
      const described = describe(event.success, source)
      if (Result.isFailure(described)) return Result.fail(described.failure)
      const request = described.success
      return Effect.isEffect(request)
        ? Effect.map(
            Effect.exit(request),
            (exit): Prepared =>
              Exit.isSuccess(exit) ? checked(exit.value, read.success, partedBy) : Result.fail(unmade(exit.cause))
          )
        : checked(request, read.success, partedBy)
    }
  }
}

/** A kind whose requests have the services they need. */
export const withServices = <R>(kind: EventKind<R>, services: Context.Context<R>): EventKind => ({
  ...kind,
  prepare: (fields, context) => {
    const prepared = kind.prepare(fields, context)
    return Effect.isEffect(prepared) ? Effect.provideContext(prepared, services) : prepared
  }
})

export type { KindAccepted, KindAnswer, KindRefused, KindVerdict } from "../delivery/kindAnswer.ts"
export { accepted, refusedWith as refused }
