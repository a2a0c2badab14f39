import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { Effect, Layer } from "effect"
import { RedisServer } from "../support/redis-server.ts"
import { redisContract } from "./redis-contract.ts"

const server = Effect.acquireRelease(
  Effect.promise(() => RedisServer.start()),
  (started) => Effect.promise(() => started.stop())
)

redisContract("NodeRedis, RESP3", Layer.unwrap(Effect.map(server, ({ url }) => NodeRedis.layer({ url }))))
redisContract("NodeRedis, RESP2", Layer.unwrap(Effect.map(server, ({ url }) => NodeRedis.layer({ url, RESP: 2 }))))
