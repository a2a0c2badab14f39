/** Housekeeping: trims what every group has acknowledged (where asked for), and removes consumers that are long gone. */
import { Clock, Duration, Effect } from "effect"
import type { RedisError } from "../../services/Redis.ts"
import { redisFailure } from "../../services/RedisFailure.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import type { Session } from "./state/collectorRun.ts"
import { isDlq, type Lane } from "./state/consumedStream.ts"

export const loopName = "retain"

const everyMs = 30_000

/** How often gone consumers are looked for, in milliseconds. */
const retireEveryMs = 60 * 60 * 1_000

/** A consumer that has not even tried to read for so long is gone. */
const goneAfterMs = 24 * 60 * 60 * 1_000

const trim = (session: Session, lane: Lane): Effect.Effect<void, RedisError> =>
  Effect.gen(function* () {
    yield* session.beat(loopName)
    const retention = session.options.sourceRetention
    if (retention === "none" || isDlq(lane)) return
    const now = yield* Clock.currentTimeMillis
    const floor = retention === "acknowledged" ? undefined : `${Math.max(0, now - Duration.toMillis(retention))}-0`
    const removed = yield* session.streams.trim(lane.key, floor)
    if (removed > 0) {
      yield* Effect.logDebug("stream.trimmed").pipe(Effect.annotateLogs({ stream: lane.key, entries: removed }))
    }
  })

const retire = (session: Session, lane: Lane): Effect.Effect<void, RedisError> =>
  Effect.gen(function* () {
    yield* session.beat(loopName)
    const { consumer, streams } = session
    const gone = (yield* streams.consumers(lane.key, consumer.group)).filter(
      ({ idle, name, pending }) => name !== consumer.name && pending === 0 && idle >= goneAfterMs
    )
    for (const { name } of gone) {
      if (yield* streams.retireConsumer(lane.key, { group: consumer.group, name }, goneAfterMs)) {
        yield* Effect.logInfo("consumer.retired").pipe(Effect.annotateLogs({ stream: lane.key, consumer: name }))
      }
    }
  })

export const retain = (session: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    // The lane's reader creates a group that is not there.
    const forgive = Effect.catch((error: RedisError) =>
      redisFailure(error) === "no-group" ? Effect.void : noteFailure(session.link, loopName, error)
    )
    const trims = session.lanes.map((lane) => forgive(trim(session, lane)))
    const retires = session.lanes.map((lane) => forgive(retire(session, lane)))
    let retireAt = 0
    for (;;) {
      const now = yield* Clock.currentTimeMillis
      for (const each of trims) yield* each
      if (now >= retireAt) {
        retireAt = now + retireEveryMs
        for (const each of retires) yield* each
      }
      yield* Effect.sleep(everyMs)
    }
  })
