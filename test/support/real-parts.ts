import { Effect, type Scope } from "effect"
import { Redis as IoRedisClient } from "ioredis"
import { testKey } from "./collector-process.ts"
import { ReceivingApi } from "./receiving-api.ts"
import { RedisServer } from "./redis-server.ts"

/** What a collector works between: a private Redis, a receiving API, and a client to look on with. */
export interface RealParts {
  readonly redis: RedisServer
  readonly api: ReceivingApi
  readonly client: IoRedisClient
}

/** Starts the parts, Redis with these arguments; the scope's end stops them. */
export const realPartsWith = Effect.fnUntraced(function* (
  redisArguments: ReadonlyArray<string>
): Effect.fn.Return<RealParts, never, Scope.Scope> {
  const redis = yield* Effect.acquireRelease(
    Effect.promise(() => RedisServer.start(redisArguments)),
    (server) => Effect.promise(() => server.stop())
  )
  const api = yield* Effect.acquireRelease(
    Effect.promise(() => ReceivingApi.start(testKey.public)),
    (server) => Effect.promise(() => server.close())
  )
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new IoRedisClient(redis.url)),
    (it) => Effect.sync(() => it.disconnect())
  )
  return { redis, api, client }
})

export const realParts: Effect.Effect<RealParts, never, Scope.Scope> = realPartsWith([])
