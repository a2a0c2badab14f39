/**
 * Spans by OpenTelemetry's messaging conventions: `receive`, `process` and `ack` of a stream. `messaging.system` is `redis`:
 * a custom value, the conventions name none for Redis Streams.
 *
 * Without a tracer of the host's none is made: what is traced then costs one look at the fiber.
 */
import { Clock, Context, Effect, Exit, type Fiber, Option, Result, Tracer } from "effect"
import * as Hex from "effect/encoding/Hex"
import { type AttemptResult, DeliveryFailed } from "../../domain/delivery/attempt.ts"
import { eventFields } from "../../domain/events/entry.ts"
import { traceparentOf } from "../../domain/events/eventKind.ts"
import { utf8 } from "../../domain/signing/bytes.ts"
import type { StreamEntry } from "../../services/EventStreams.ts"
import type { CollectorRun, RunIdentity } from "./state/collectorRun.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"

/** The span of the work on one entry. */
export type ProcessSpan = Tracer.Span | undefined

const isTraced = ({ cache }: Fiber.Fiber<unknown, unknown>): boolean =>
  cache.tracer !== undefined && cache.tracerEnabled

/**
 * Without a tracer no request is given a trace of its own: a client of Effect's makes its span all the same, and its random
 * ids would take the place of the producer's.
 */
export const tracedIfThereIsATracer = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber(({ cache }) =>
    cache.tracer === undefined ? Effect.provideService(effect, Tracer.DisablePropagation, true) : effect
  )

type Operation = "receive" | "process" | "settle"

const messaging = (
  run: RunIdentity,
  stream: ConsumedStream,
  name: string,
  type: Operation
): Record<string, unknown> => ({
  "messaging.system": "redis",
  "messaging.operation.name": name,
  "messaging.operation.type": type,
  "messaging.destination.name": stream.key,
  "messaging.consumer.group.name": run.consumer.group,
  "messaging.client.id": run.consumer.name
})

/** A link to the span that a valid `traceparent` names (W3C Trace Context). */
const linkTo = (traceparent: string): Tracer.SpanLink => {
  const [, traceId = "", spanId = "", flags = "00"] = traceparent.split("-")
  const sampled = (Number.parseInt(flags, 16) & 1) === 1
  return { span: Tracer.externalSpan({ traceId, spanId, sampled }), attributes: {} }
}

const linksOf = (entries: ReadonlyArray<StreamEntry>): Array<Tracer.SpanLink> =>
  entries.flatMap(({ fields }) => {
    const read = eventFields(fields)
    const traceparent = Result.isSuccess(read) ? traceparentOf(read.success) : undefined
    return traceparent === undefined ? [] : [linkTo(traceparent)]
  })

/** A read of new entries; one that brings none leaves no span. */
export const receiving = <E>(
  run: RunIdentity,
  stream: ConsumedStream,
  read: Effect.Effect<ReadonlyArray<StreamEntry>, E>
): Effect.Effect<ReadonlyArray<StreamEntry>, E> =>
  Effect.withFiber((fiber) => {
    const { tracer } = fiber.cache
    if (tracer === undefined || !isTraced(fiber)) return read
    return Effect.flatMap(Clock.currentTimeNanos, (startTime) =>
      Effect.tap(read, (entries) =>
        Effect.map(Clock.currentTimeNanos, (endTime) => {
          if (entries.length === 0) return
          const span = tracer.span({
            name: `receive ${stream.key}`,
            parent: Option.none(),
            annotations: Context.empty(),
            links: linksOf(entries),
            startTime,
            kind: "client",
            root: true,
            sampled: true
          })
          const attributes = messaging(run, stream, "receive", "receive")
          for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
          span.attribute("messaging.batch.message_count", entries.length)
          span.end(endTime, Exit.void)
        })
      )
    )
  })

/** The work on one entry, in a trace of its own that links to the producer's. */
export const processing = (
  run: RunIdentity,
  entry: OwnedEntry,
  work: (span: ProcessSpan) => Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    if (!isTraced(fiber)) return work(undefined)
    const attributes = {
      ...messaging(run, entry.stream, "process", "process"),
      "messaging.message.id": entry.id
    }
    return Effect.useSpan(`process ${entry.stream.key}`, { kind: "consumer", root: true, attributes }, (span) =>
      Effect.tap(Effect.withParentSpan(work(span), span, { captureStackTrace: false }), () => endOfFailed(span))
    )
  })

/** A span counts as failed where its effect fails; a failed attempt is none. */
const endOfFailed = (span: Tracer.Span): Effect.Effect<void> => {
  const code = span.attributes.get("error.type")
  return code === undefined
    ? Effect.void
    : Effect.map(Clock.currentTimeNanos, (now) => {
        span.end(now, Exit.fail(new DeliveryFailed({ code: String(code) })))
      })
}

/**
 * The trace context of a request that no span is made for: the producer's trace goes on, with a span id of the
 * request's own. Made of what tells this attempt from all others, so that the same world has the same ids.
 */
export const passOn = (
  { sha256 }: Pick<CollectorRun, "sha256">,
  { eventId, traceparent }: { readonly eventId: string; readonly traceparent: string | undefined },
  attempt: number,
  now: number
): string | undefined => {
  if (traceparent === undefined) return undefined
  const [, traceId, , flags] = traceparent.split("-")
  const own = sha256(utf8([traceparent, eventId, attempt, now].join(" "))).subarray(0, 8)
  return `00-${traceId}-${Hex.encode(own)}-${flags}`
}

/** Notes what is to be sent. */
export const noteRequest = (
  span: ProcessSpan,
  request: { readonly eventId: string; readonly traceparent: string | undefined },
  attempt: number
): void => {
  if (span === undefined) return
  span.attribute("job_collector.event_id", request.eventId)
  span.attribute("job_collector.attempt", attempt)
  if (request.traceparent !== undefined) span.addLinks([linkTo(request.traceparent)])
}

/** Notes how the attempt ended and what became of the event. */
export const noteOutcome = (
  span: ProcessSpan,
  outcome: "delivered" | "retried" | "abandoned" | "held",
  result: Pick<Extract<AttemptResult, { _tag: "Failed" }>, "errorCode"> | undefined
): void => {
  if (span === undefined) return
  span.attribute("job_collector.outcome", outcome)
  if (result !== undefined) span.attribute("error.type", result.errorCode)
}

/** The end of an entry: acknowledged, or moved to another stream and acknowledged. */
export const acknowledging = <A, E>(
  run: RunIdentity,
  entry: OwnedEntry,
  movedTo: string | undefined,
  end: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) => {
    if (!isTraced(fiber)) return end
    const attributes = {
      ...messaging(run, entry.stream, "ack", "settle"),
      "messaging.message.id": entry.id,
      ...(movedTo === undefined ? undefined : { "job_collector.moved_to": movedTo })
    }
    return Effect.useSpan(`ack ${entry.stream.key}`, { kind: "client", attributes }, () => end)
  })
