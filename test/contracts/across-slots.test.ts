/** Streams in different slots of a Cluster, where no script spans them: what a refused command leaves behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import { makeEngine } from "../../src/layers/redis/memory/engine.ts"
import { layerOf } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"

const crossSlot = Effect.fail(
  new RedisError({ cause: new Error("CROSSSLOT Keys in request don't hash to the same slot") })
)

/** One slot a stream: a script over two of them is refused. */
const oneSlotEach = Layer.effect(
  Redis,
  Effect.map(Redis, (redis) =>
    Redis.of({
      ...redis,
      send: (name, ...args) =>
        name === "EVAL" &&
        new Set(args.slice(2, 2 + Number(args[1])).map((key) => key.replace(/[{}]/g, "").split(":")[0])).size > 1
          ? crossSlot
          : redis.send(name, ...args)
    })
  )
)

const scene = Effect.gen(function* () {
  const engine = yield* makeEngine
  const redis = layerOf(engine)
  const send = (line: string) => {
    const [name = "", ...args] = line.split(" ")
    return Effect.provide(
      Redis.use(({ send }) => send(name, ...args)),
      redis
    )
  }
  yield* send("XADD s 1-1 n 1")
  yield* send("XGROUP CREATE s g 0")
  yield* send("XREADGROUP GROUP g a STREAMS s >")
  yield* send("XADD abandoned 1-1 n 1")
  const streams = yield* Effect.provide(
    EventStreams,
    EventStreamsLayer.layer.pipe(Layer.provide(oneSlotEach), Layer.provide(redis))
  )
  return { engine, send, streams }
})

const move = {
  from: "s",
  to: "d",
  consumer: { group: "g", name: "a" },
  id: "1-1",
  remove: true,
  fields: ["x", "1"]
}

describe("streams in different slots", () => {
  for (const command of ["XACK", "XDEL", "XADD"]) {
    it.effect(`a move without ${command} leaves no copy, however often it is tried`, () =>
      Effect.gen(function* () {
        const { engine, send, streams } = yield* scene
        engine.permit((name) => name !== command)
        for (let n = 0; n < 3; n++) yield* Effect.flip(streams.move(move))
        engine.permit(() => true)
        assert.strictEqual(yield* send("XLEN d"), 0)
        assert.strictEqual(yield* send("XLEN s"), 1)
        assert.isTrue(yield* streams.move(move))
        assert.strictEqual(yield* send("XLEN d"), 1)
        assert.strictEqual(yield* send("XLEN s"), 0)
      })
    )
  }

  for (const command of ["XDEL", "XADD", "SADD", "EXPIRE"]) {
    it.effect(`a replay without ${command} leaves the event abandoned and puts nothing back`, () =>
      Effect.gen(function* () {
        const { engine, send, streams } = yield* scene
        engine.permit((name) => name !== command)
        for (let n = 0; n < 3; n++) yield* Effect.flip(streams.replay("abandoned", "1-1", "s", ["n", "1"]))
        engine.permit(() => true)
        assert.strictEqual(yield* send("XLEN s"), 1)
        assert.strictEqual(yield* send("XLEN abandoned"), 1)
        assert.isDefined(yield* streams.replay("abandoned", "1-1", "s", ["n", "1"]))
        assert.strictEqual(yield* send("XLEN s"), 2)
        assert.strictEqual(yield* send("XLEN abandoned"), 0)
      })
    )
  }
})
