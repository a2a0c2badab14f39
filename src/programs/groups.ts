/** Consumer groups: created where they do not exist, and created again where Redis lost them (contract section 6). */
import { Effect } from "effect"
import { greaterId, smallerId } from "../domain/streamId.ts"
import type { RedisError } from "../services/Redis.ts"
import { isDlq, type Lane } from "./state/lanes.ts"
import { laneState, type Session } from "./state/session.ts"

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

/** Makes sure of a lane's group. */
export const ensureGroup = (session: Session, lane: Lane): Effect.Effect<void, RedisError> =>
  Effect.gen(function* () {
    const { options, streams } = session
    const group = options.consumerGroup
    const state = laneState(session, lane)
    const known = yield* streams.groupInfo(lane.key, group)
    if (known !== undefined) {
      if (state.lastSeenId === undefined) noteSeen(session, lane, known.lastDeliveredId)
      return
    }
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
  })
