/**
 * Housekeeping: renews the group's claim on its streams; creates groups that are gone again, which a reader that waits for
 * work to end would not notice; trims what every group has acknowledged (where asked for); and removes consumers that are
 * long gone.
 */
import { Clock, Duration, Effect } from "effect"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { repeatSteps, sleepToBeat } from "../supervision/loop.ts"
import { ensureGroup } from "./groups.ts"
import type { CollectorRun } from "./state/collectorRun.ts"
import { type ConsumedStream, isDlq } from "./state/consumedStream.ts"
import { claimStreams, type StreamTaken } from "./streamOwner.ts"

export const loopName = "retain"

const everyMs = 30_000

/** How often gone consumers are looked for, in milliseconds. */
const retireEveryMs = 60 * 60 * 1_000

/** A consumer that has not even tried to read for so long is gone. */
const goneAfterMs = 24 * 60 * 60 * 1_000

const trim = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<void, EventStreamsError> {
  const retention = run.options.sourceRetention
  if (retention === "none" || isDlq(stream)) return
  const now = yield* Clock.currentTimeMillis
  const floor = retention === "acknowledged" ? undefined : `${Math.max(0, now - Duration.toMillis(retention))}-0`
  const removed = yield* run.streams.trim(stream.key, floor)
  if (removed > 0) {
    yield* Effect.logDebug("stream.trimmed").pipe(Effect.annotateLogs({ stream: stream.key, entries: removed }))
  }
})

const retire = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<void, EventStreamsError> {
  const { consumer, streams } = run
  const gone = (yield* streams.consumers(stream.key, consumer.group)).filter(
    ({ idle, name, pending }) => name !== consumer.name && pending === 0 && idle >= goneAfterMs
  )
  for (const { name } of gone) {
    if (yield* streams.retireConsumer(stream.key, { group: consumer.group, name }, goneAfterMs)) {
      yield* Effect.logInfo("consumer.retired").pipe(Effect.annotateLogs({ stream: stream.key, consumer: name }))
    }
  }
})

export const keepHouse = (run: CollectorRun): Effect.Effect<never, StreamTaken> =>
  Effect.suspend(() => {
    // One that is lost just now is created again in the next round.
    const forgive = Effect.catch((error: EventStreamsError) =>
      error.reason._tag === "NoGroup" ? Effect.void : noteFailure(run.availability, loopName, error)
    )
    const groups = run.consumedStreams.map((stream) => forgive(ensureGroup(run, stream)))
    const trims = run.consumedStreams.map((stream) => forgive(trim(run, stream)))
    const retires = run.consumedStreams.map((stream) => forgive(retire(run, stream)))
    const claim = Effect.matchEffect(claimStreams(run.streams, run.options), {
      onFailure: (error) => noteFailure(run.availability, loopName, error),
      onSuccess: (taken) => taken ?? Effect.void
    })
    let retireAt = Number.NEGATIVE_INFINITY
    let retiring = false
    const begin = Effect.map(monotonicMillis, (now) => {
      retiring = now >= retireAt
      if (retiring) retireAt = now + retireEveryMs
    })
    return repeatSteps(
      claim,
      begin,
      ...groups,
      ...trims,
      ...retires.map(Effect.when(Effect.sync(() => retiring))),
      sleepToBeat(everyMs)
    )
  })
