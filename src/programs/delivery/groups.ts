/** Consumer groups: created where they do not exist, and created again where Redis lost them (contract section 6). */
import { Effect } from "effect"
import { greaterId, smallerId } from "../../domain/events/streamId.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { entriesBefore } from "../redis/entriesBefore.ts"
import { lostByRedis } from "./lostEntries.ts"
import {
  type CollectorRun,
  type RunDeliveries,
  type RunIdentity,
  type RunRedis,
  streamState
} from "./state/collectorRun.ts"
import { type ConsumedStream, isDlq } from "./state/consumedStream.ts"

/** Entries in one script call, so that Redis is never busy for long. */
const batch = 256

/** Notes an id that the group has been given. */
export const noteSeen = (run: RunRedis, stream: ConsumedStream, id: string): void => {
  const state = streamState(run, stream)
  state.lastSeenId = state.lastSeenId === undefined ? id : greaterId(state.lastSeenId, id)
}

/** Where a group that is gone starts again: nothing that nobody has read may be passed over. */
const restartId = (
  run: CollectorRun,
  stream: ConsumedStream,
  lastSeenId: string
): Effect.Effect<string, EventStreamsError> =>
  Effect.map(run.streams.streamInfo(stream.key), (info) =>
    info === undefined ? "0" : smallerId(lastSeenId, info.lastGeneratedId)
  )

/** Where a group that is new starts. `$` is said as the id it stands for, so that it can be kept. */
const firstId = (
  { options, streams }: CollectorRun,
  stream: ConsumedStream
): Effect.Effect<string, EventStreamsError> =>
  options.groupStartId === "$"
    ? Effect.map(streams.streamInfo(stream.key), (info) => info?.lastGeneratedId ?? "0")
    : Effect.succeed(options.groupStartId)

/** Keeps where a new group starts, and says what it passes over. */
const noteStart = Effect.fnUntraced(function* (
  { options, streams }: CollectorRun,
  stream: ConsumedStream,
  startId: string
) {
  const group = options.consumerGroup
  // Only `why` and `check` need it: a user who may not keep it can still deliver.
  yield* Effect.ignore(streams.keepGroupStart(stream.key, group, startId))
  const { count, more } = yield* entriesBefore(streams, stream.key, startId)
  if (count === 0) return
  yield* Effect.logWarning("group.skips_entries").pipe(
    Effect.annotateLogs({
      stream: stream.key,
      group,
      start_id: startId,
      entries: count,
      ...(more ? { more: true } : {}),
      remedy: `they lie before the group's start and will not be read; XGROUP SETID ${stream.key} ${group} 0 has them read (GROUP_START_ID=0 for new groups)`
    })
  )
})

/** A group that was lost took with it who owns what: what this process works on or holds becomes its own again. */
const adoptOwn = Effect.fnUntraced(function* (
  run: RunIdentity & RunRedis & RunDeliveries,
  stream: ConsumedStream
): Effect.fn.Return<void, EventStreamsError> {
  const { consumer, owned, streams } = run
  const entries = owned.entries(stream)
  for (let at = 0; at < entries.length; at += batch) {
    const gone = yield* streams.adopt(stream.key, consumer, entries.slice(at, at + batch))
    for (const id of gone) {
      const entry = owned.get(stream, id)
      if (entry !== undefined) yield* lostByRedis(run, entry)
    }
  }
})

const create = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<void, EventStreamsError> {
  const { options, streams } = run
  const group = options.consumerGroup
  const state = streamState(run, stream)
  const { lastSeenId } = state
  const startId = isDlq(stream)
    ? "0"
    : lastSeenId === undefined
      ? yield* firstId(run, stream)
      : yield* restartId(run, stream, lastSeenId)
  const created = yield* streams.createGroup(stream.key, group, startId)
  if (created) {
    yield* (lastSeenId === undefined ? Effect.logInfo("group.created") : Effect.logWarning("group.recreated")).pipe(
      Effect.annotateLogs({ stream: stream.key, group, start_id: startId })
    )
    if (lastSeenId === undefined && !isDlq(stream)) yield* noteStart(run, stream, startId)
  }
  const made = yield* streams.groupInfo(stream.key, group)
  // An id seen before the stream was lost says nothing about the new one.
  if (made !== undefined) state.lastSeenId = made.lastDeliveredId
})

/** Makes sure of a stream's group, and of what this process owns in it. */
export const ensureGroup = Effect.fnUntraced(function* (
  run: CollectorRun,
  stream: ConsumedStream
): Effect.fn.Return<void, EventStreamsError> {
  const state = streamState(run, stream)
  const group = yield* run.streams.groupInfo(stream.key, run.options.consumerGroup)
  if (group === undefined) {
    state.groupAdopted = false
    yield* create(run, stream)
  } else if (state.lastSeenId === undefined) noteSeen(run, stream, group.lastDeliveredId)
  if (!state.groupAdopted) {
    yield* adoptOwn(run, stream)
    state.groupAdopted = true
    run.readiness.notify()
  }
})
