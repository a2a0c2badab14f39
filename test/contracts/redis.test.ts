import { Effect, Layer, Redacted } from "effect"
import { layer } from "../../src/layers/redis/ioredis/IoRedis.ts"
import { RedisServer } from "../support/redis-server.ts"
import { redisContract } from "./redis-contract.ts"

const server = Effect.acquireRelease(
  Effect.promise(() => RedisServer.start()),
  (started) => Effect.promise(() => started.stop())
)

redisContract("Redis", Layer.unwrap(Effect.map(server, ({ url }) => layer({ url: Redacted.make(url) }))))
