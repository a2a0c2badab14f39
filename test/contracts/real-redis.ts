import { Effect, Layer, Logger } from "effect"
import type { Redis } from "../../src/services/Redis.ts"
import { RedisServer } from "../support/redis-server.ts"

/** A driver's layer over a server of its own, which lives as long as the layer; what the driver logs is not shown. */
export const overRealRedis = <E>(driver: (url: string) => Layer.Layer<Redis, E>): Layer.Layer<Redis, E> =>
  Layer.unwrap(
    Effect.acquireRelease(
      Effect.promise(() => RedisServer.start()),
      (started) => Effect.promise(() => started.stop())
    ).pipe(Effect.map(({ url }) => driver(url)))
  ).pipe(Layer.provide(Logger.layer([])))
