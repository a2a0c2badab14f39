/**
 * Effect's `Redis` service over ioredis: standalone, TLS, Sentinel and Cluster.
 *
 * - Building the layer never waits for Redis and does not fail when it is away: commands fail until it is there.
 * - A command fails at once while there is no connection, and after `commandDeadline` in which nothing came; the socket is
 *   destroyed then. Nothing is queued and nothing is sent twice. Lost connections are made anew, with backoff.
 * - A refused password is the failure of every command, in Redis's words.
 * - `reserve` gives a private connection. A blocking command on it has until a second past its BLOCK time. One that
 *   failed or was interrupted is closed; reserve another.
 * - Replies are text with escaped bytes (see `services/Redis`), arguments likewise.
 */
import { Effect, Layer } from "effect"
import { make } from "effect/persistence/Redis"
import { Redis, RedisError } from "../../../services/Redis.ts"
import type { Line } from "./router.ts"
import { type IoRedisOptions, settingsOf } from "./settings.ts"
import { argumentsOfText } from "./text.ts"

export type { IoRedisOptions } from "./settings.ts"

/** Private connections there may be at a time: more than a process has readers. */
const MAX_RESERVED = 1_024

const sendOver =
  (line: Line) =>
  <A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, RedisError> =>
    Effect.callback<A, RedisError>((resume) => {
      const forget = line.send(command.toUpperCase(), argumentsOfText(args), (cause, reply) =>
        resume(cause === undefined ? Effect.succeed(reply as A) : Effect.fail(new RedisError({ cause })))
      )
      return Effect.sync(forget)
    })

/**
 * The `Redis` service over ioredis: standalone, TLS, Sentinel or Cluster. Building it does not wait for Redis; it fails only for
 * options that cannot be meant, with a `RedisError` that names the rule. A command fails with `RedisError`: Redis's own reply
 * (`WRONGTYPE …`), or that there is no connection or no answer. Commands are sent once; repeating is the caller's decision.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { layerIoRedis, Redis } from "job-collector"
 *
 * export const length = Effect.gen(function* () {
 *   const redis = yield* Redis
 *   return yield* redis.send<number>("XLEN", "modelsgateway:events:dlq")
 * }).pipe(Effect.provide(layerIoRedis({ url: Redacted.make("redis://127.0.0.1:6379") })))
 * ```
 */
export const layer = (options: IoRedisOptions): Layer.Layer<Redis, RedisError> =>
  Layer.effect(
    Redis,
    Effect.gen(function* () {
      const settings = yield* Effect.fromResult(settingsOf(options)).pipe(
        Effect.mapError((problem) => new RedisError({ cause: new Error(problem) }))
      )
      // ioredis is loaded with what uses it.
      const { routerOf } = yield* Effect.promise(() => import("./routers.ts"))
      const router = yield* Effect.acquireRelease(
        Effect.sync(() => routerOf(settings)),
        (open) => Effect.sync(() => open.close())
      )
      return yield* make({
        send: sendOver(router),
        connect: Effect.sync(() => {
          const line = router.open()
          return { send: sendOver(line), close: Effect.sync(() => line.close()) }
        }),
        subscribe: () => Effect.fail(new RedisError({ cause: new Error("subscribe is not supported by this layer") })),
        pool: { maxConnections: MAX_RESERVED }
      })
    })
  )
