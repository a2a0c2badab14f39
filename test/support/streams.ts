/** The streams and the group by their usual names, and what tests put into them and ask of them through the `Redis` service. */
import { Clock, Effect, Result } from "effect"
import { decodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import type { Redis, RedisError } from "../../src/services/Redis.ts"
import { transcribeFields } from "./events.ts"

export const transcribe = "modelsgateway:events:transcribe"
export const processing = "modelsgateway:events:process"
export const dlq = "modelsgateway:events:dlq"
export const abandoned = "modelsgateway:events:abandoned"
export const group = "job-collector-group"

type RedisService = Redis["Service"]

/** Adds a transcription of now: its entry's id. */
export const addEvent = (
  redis: RedisService,
  id: string,
  more: Readonly<Record<string, string>> = {}
): Effect.Effect<string, RedisError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    redis.send<string>("XADD", transcribe, "*", ...transcribeFields(id, now, more))
  )

/** How many entries a stream has. */
export const lengthOf = (redis: RedisService, stream: string): Effect.Effect<number, RedisError> =>
  redis.send<number>("XLEN", stream)

/** What the group has been given of a stream and not acknowledged. */
export const pendingIn = (redis: RedisService, stream: string) =>
  redis.send<ReadonlyArray<readonly [id: string, consumer: string, idle: number, deliveries: number]>>(
    "XPENDING",
    stream,
    group,
    "-",
    "+",
    "1000"
  )

/** How much of a stream the group has been given and not acknowledged. */
export const pendingCount = (redis: RedisService, stream: string): Effect.Effect<number, RedisError> =>
  Effect.map(redis.send<readonly [number]>("XPENDING", stream, group), ([count]) => count)

/** What the fields of entries in the abandoned stream say. */
export const decodedAbandoned = (entries: ReadonlyArray<readonly [id: string, fields: ReadonlyArray<string>]>) =>
  entries.map(([, fields]) => Result.getOrThrow(decodeAbandonedEntry(fields)))

/** The abandoned events, oldest first. */
export const abandonedEvents = (redis: RedisService) =>
  Effect.map(
    redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>("XRANGE", abandoned, "-", "+"),
    decodedAbandoned
  )
