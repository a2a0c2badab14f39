/** Consumer groups: created where they do not exist, and created again where Redis lost them (contract section 6). */
import { Effect } from "effect"
import { greaterId, smallerId } from "../../domain/events/streamId.ts"
import type { GroupInfo } from "../../services/EventStreams.ts"
import type { RedisError } from "../../services/Redis.ts"
import { lostByRedis } from "./settle.ts"
import { laneState, type Session } from "./state/collectorRun.ts"
import { isDlq, type Lane } from "./state/consumedStream.ts"

/** Entries in one script call, so that Redis is never busy for long. */
const batch = 256

/** Notes an id that the group has been given. */
export const noteSeen = (session: Session, lane: Lane, id: string): void => {
  const state = laneState(session, lane)
  state.lastSeenId = state.lastSeenId === undefined ? id : greaterId(state.lastSeenId, id)
}

/** Where a group that is gone starts again: nothing that nobody has read may be passed over. */
const restartId = (session: Session, lane: Lane, lastSeenId: string): Effect.Effect<string, RedisError> =>
  Effect.map(session.streams.streamInfo(lane.key), (info) =>
    info === undefined ? "0" : smallerId(lastSeenId, info.lastGeneratedId)
  )

/** A group that was lost took with it who owns what: what this process works on or holds becomes its own again. */
const adoptOwn = (session: Session, lane: Lane): Effect.Effect<void, RedisError> =>
  Effect.gen(function* () {
    const { consumer, ledger, streams } = session
    const tasks = ledger.tasks(lane)
    for (let at = 0; at < tasks.length; at += batch) {
      const gone = yield* streams.adopt(lane.key, consumer, tasks.slice(at, at + batch))
      for (const id of gone) {
        const task = ledger.get(lane, id)
        if (task !== undefined) yield* lostByRedis(session, task)
      }
    }
  })

const create = (session: Session, lane: Lane): Effect.Effect<GroupInfo | undefined, RedisError> =>
  Effect.gen(function* () {
    const { options, streams } = session
    const group = options.consumerGroup
    const state = laneState(session, lane)
    const { lastSeenId } = state
    const startId = isDlq(lane)
      ? "0"
      : lastSeenId === undefined
        ? options.groupStartId
        : yield* restartId(session, lane, lastSeenId)
    const created = yield* streams.createGroup(lane.key, group, startId)
    if (created) {
      yield* (lastSeenId === undefined ? Effect.logInfo("group.created") : Effect.logWarning("group.recreated")).pipe(
        Effect.annotateLogs({ stream: lane.key, group, start_id: startId })
      )
    }
    const made = yield* streams.groupInfo(lane.key, group)
    // An id seen before the stream was lost says nothing about the new one.
    if (made !== undefined) state.lastSeenId = made.lastDeliveredId
    return made
  })

/**
 * Makes sure of a lane's group, and of what this process owns in it: what Redis says of the group, undefined only where
 * it was lost again at once.
 */
export const ensureGroup = (session: Session, lane: Lane): Effect.Effect<GroupInfo | undefined, RedisError> =>
  Effect.gen(function* () {
    const state = laneState(session, lane)
    let group = yield* session.streams.groupInfo(lane.key, session.options.consumerGroup)
    if (group === undefined) {
      state.grouped = false
      group = yield* create(session, lane)
    } else if (state.lastSeenId === undefined) noteSeen(session, lane, group.lastDeliveredId)
    if (!state.grouped) {
      yield* adoptOwn(session, lane)
      state.grouped = true
    }
    return group
  })
