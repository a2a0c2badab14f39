/** Acknowledgements of one stream that come due together go to Redis as one command. */
import { Effect, Exit } from "effect"
import { encodeOutcome, type Outcome } from "../../domain/delivery/outcome.ts"
import type { Consumer, EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import type { RedisAvailability } from "../redis/redisAvailability.ts"
import { retryUntilDone } from "../redis/retryRedis.ts"
import { type ConsumedStream, isDlq } from "./state/consumedStream.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"

interface Waiting {
  readonly id: string
  readonly outcome: Outcome | undefined
  readonly done: (exit: Exit.Exit<void>) => void
}

/** What waits to be acknowledged in one stream. */
interface Batch {
  readonly waiting: Array<Waiting>
  flushing: boolean
  /** Sends what waits, and what comes to wait meanwhile: made once, run for every flush. */
  readonly flush: Effect.Effect<void>
}

/** One command's worth of ids; a longer backlog goes in several. */
const mostIds = 512

export const makeAcknowledge = (context: {
  readonly streams: EventStreams["Service"]
  readonly consumer: Consumer
  readonly availability: RedisAvailability
  readonly fork: (effect: Effect.Effect<void>) => unknown
  readonly outcomesKeptMs: number | undefined
}): ((entry: OwnedEntry, outcome: Outcome | undefined) => Effect.Effect<void>) => {
  const batches = new Map<ConsumedStream, Batch>()
  const { consumer, fork, availability, outcomesKeptMs, streams } = context

  const acknowledge = (
    stream: ConsumedStream,
    sent: ReadonlyArray<Waiting>
  ): Effect.Effect<number, EventStreamsError> => {
    const ids = sent.map(({ id }) => id)
    return isDlq(stream)
      ? streams.finish(stream.key, consumer.group, ids)
      : streams.acknowledge(stream.key, consumer.group, ids)
  }

  const conclude = Effect.fnUntraced(function* (stream: ConsumedStream, sent: ReadonlyArray<Waiting>, keptMs: number) {
    const ended = sent.flatMap(({ id, outcome }) =>
      outcome === undefined ? [] : [{ id, eventId: outcome.event_id, outcome: encodeOutcome(outcome) }]
    )
    const step = `keep outcomes beside ${stream.key}`
    // An outcome is worth less than the acknowledgement: where Redis refuses to keep it, the event is still done.
    return yield* streams.conclude(stream.key, consumer.group, ended, isDlq(stream), keptMs).pipe(
      Effect.tap(() => Effect.map(monotonicMillis, (now) => availability.noteRefusal(step, undefined, now))),
      Effect.catchIf(
        ({ isRefusal }) => isRefusal,
        (refused) =>
          Effect.flatMap(monotonicMillis, (now) => {
            availability.noteRefusal(step, refused.message, now)
            return acknowledge(stream, sent)
          })
      )
    )
  })

  const send = (stream: ConsumedStream, sent: ReadonlyArray<Waiting>): Effect.Effect<number, EventStreamsError> =>
    outcomesKeptMs === undefined || sent.some(({ outcome }) => outcome === undefined)
      ? acknowledge(stream, sent)
      : conclude(stream, sent, outcomesKeptMs)

  const start = (batch: Batch): void => {
    if (batch.flushing || batch.waiting.length === 0) return
    batch.flushing = true
    fork(batch.flush)
  }

  const makeBatch = (stream: ConsumedStream): Batch => {
    const waiting: Array<Waiting> = []
    let sent: ReadonlyArray<Waiting> = []
    const flush = Effect.gen(function* () {
      while (waiting.length > 0) {
        sent = waiting.splice(0, mostIds)
        yield* retryUntilDone(availability, "acknowledge", send(stream, sent))
        for (const { done } of sent) done(Exit.void)
        sent = []
      }
      // In the same step as the look above: who comes between the two would wait for a flush that is over.
      batch.flushing = false
    }).pipe(
      Effect.catchCause((cause) =>
        Effect.sync(() => {
          batch.flushing = false
          const [first, ...others] = sent
          sent = []
          waiting.unshift(...others)
          // A defect is one entry's, which is told of it; the others are tried again.
          first?.done(Exit.failCause(cause))
          start(batch)
        })
      )
    )
    const batch: Batch = { waiting, flushing: false, flush }
    return batch
  }

  const batchOf = (stream: ConsumedStream): Batch => {
    const known = batches.get(stream)
    if (known !== undefined) return known
    const made = makeBatch(stream)
    batches.set(stream, made)
    return made
  }

  return (entry, outcome) =>
    Effect.callback<void>((resume) => {
      const batch = batchOf(entry.stream)
      batch.waiting.push({ id: entry.id, outcome, done: resume })
      start(batch)
    })
}
