import { Effect, Redacted } from "effect"
import { classify } from "../../src/layers/redis/classify.ts"
import { type IoRedisOptions, layer } from "../../src/layers/redis/ioredis/IoRedis.ts"
import { Redis, type RedisError } from "../../src/services/Redis.ts"

/**
 * What happens at once takes less than this, in ms, on any machine, and any wait for a deadline more: the deadlines of
 * `withRedis` are longer.
 */
export const atOnce = 15_000

/** Runs a program against the ioredis layer with these options, its deadlines long unless given. */
export const withRedis = <A, E>(
  options: Omit<IoRedisOptions, "url"> & { readonly url: string },
  program: (redis: Redis["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, E | RedisError> =>
  Redis.use(program).pipe(
    Effect.provide(
      layer({
        commandDeadline: "20 seconds",
        connectTimeout: "20 seconds",
        ...options,
        url: Redacted.make(options.url)
      })
    )
  )

/** The kind of an effect's failure, and how long it took, in ms. */
export const failureOf = <A>(effect: Effect.Effect<A, RedisError>) =>
  Effect.gen(function* () {
    const start = performance.now()
    const error = yield* Effect.flip(effect)
    return { kind: classify(error).reason._tag, error, took: performance.now() - start }
  })

/** Repeats a command every 20 ms until it succeeds; fails with what it said last when the time is up. */
export const eventually = <A, E>(effect: Effect.Effect<A, E>, deadlineMs = 25_000): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const end = performance.now() + deadlineMs
    for (;;) {
      const exit = yield* Effect.exit(effect)
      if (exit._tag === "Success" || performance.now() > end) return yield* exit
      yield* Effect.sleep("20 millis")
    }
  })
