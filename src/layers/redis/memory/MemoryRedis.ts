import { Effect, Layer, Queue } from "effect"
import type { RedisMessage } from "effect/persistence/Redis"
import { Redis, RedisError } from "../../../services/Redis.ts"
import { type MemoryEngine, makeEngine } from "./engine.ts"

export { type MemoryConnection, type MemoryEngine, makeEngine } from "./engine.ts"
export { type Reply, ReplyError } from "./replies.ts"

const unsupported = (what: string) => new RedisError({ cause: new Error(`The memory engine has no ${what}`) })

/** The `Redis` service on an engine. No fiber and no timer outlive a command. */
const serviceOf = (engine: MemoryEngine): Redis["Service"] => {
  const { send } = engine.connection()
  const evaluate: Redis["Service"]["eval"] =
    (script) =>
    (...params) =>
      send("EVAL", script.lua, `${script.numberOfKeys(...params)}`, ...script.params(...params).map(String))
  return Redis.of({
    send,
    eval: evaluate,
    subscribe: () =>
      Effect.tap(Queue.unbounded<RedisMessage, RedisError>(), (queue) =>
        Queue.fail(queue, unsupported("publish and subscribe"))
      ),
    reserve: Effect.sync(() => ({ send: engine.connection().send, eval: evaluate }))
  })
}

/** `Redis` on an engine that others hold too: several replicas, a server for sockets, a simulated world. */
export const layerOf = (engine: MemoryEngine): Layer.Layer<Redis> => Layer.succeed(Redis, serviceOf(engine))

/**
 * `Redis` on an engine of its own, empty each time the layer is built: streams with consumer groups, strings, sets, times to
 * live and this project's scripts, under the ambient `Clock`. It never fails to build; a command fails with `RedisError` and
 * the text that Redis would give. Publish and subscribe are not supported.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { layerMemoryRedis, Redis } from "job-collector"
 *
 * export const example = Effect.gen(function* () {
 *   const redis = yield* Redis
 *   yield* redis.send("XADD", "events", "*", "event_id", "evt-1")
 *   return (yield* redis.send<number>("XLEN", "events")) === 1
 * }).pipe(Effect.provide(layerMemoryRedis))
 * ```
 */
export const layer: Layer.Layer<Redis> = Layer.effect(Redis, Effect.map(makeEngine, serviceOf))
