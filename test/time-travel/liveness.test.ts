import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Logger } from "effect"
import { HttpClient } from "effect/http"
import { type CollectorOptions, defaultOptions } from "../../src/domain/options/options.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import { LeanHttpResponse } from "../../src/layers/http/LeanHttpResponse.ts"
import { layerOf, makeEngine, layer as memoryLayer } from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Gateway } from "../../src/services/Gateway.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import * as MemoryFileSystem from "../../src/testing/MemoryFileSystem.ts"
import { bodyOf, bundleOf } from "../gatewayConfig/support/bundles.ts"
import { addEvent } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel } from "../support/time-machine.ts"

/** A host's own driver without time limits: from a moment on, one command is never answered. */
const hanging = (command: string, from: () => boolean) =>
  Layer.effect(
    Redis,
    Effect.gen(function* () {
      const engine = yield* makeEngine
      const real = yield* Effect.provide(Redis, layerOf(engine))
      return Redis.of({
        ...real,
        send: (name, ...args) => (name === command && from() ? Effect.never : real.send(name, ...args))
      })
    })
  )

const collectorOn = (
  redis: Layer.Layer<Redis>,
  options: Pick<Partial<CollectorOptions>, "healthInterval" | "deliveryConcurrency"> = {},
  api = new ScriptedApi()
) =>
  JobCollector.layer({ apiBaseUrl: "http://api.test", ...options }).pipe(
    Layer.provideMerge(redis),
    Layer.provide(Layer.mergeAll(api.layer, NativeSigner.layer(testPrivateKey))),
    Layer.provide(Logger.layer([]))
  )

describe("liveness", () => {
  it.effect("an idle collector shows signs of life for ever", () =>
    Effect.gen(function* () {
      const { health } = yield* JobCollector
      for (let minute = 0; minute < 10; minute++) {
        yield* travel(60_000)
        assert.deepStrictEqual(yield* health.live, { live: true, silent: [] })
      }
      assert.deepStrictEqual(yield* health.ready, { ready: true, reasons: [] })
    }).pipe(Effect.provide(collectorOn(memoryLayer)))
  )

  it.effect("loops that hang are named two minutes later, while the others go on", () => {
    let hangs = false
    return Effect.gen(function* () {
      const { health } = yield* JobCollector
      yield* travel(60_000)
      hangs = true
      yield* travel(100_000)
      assert.isTrue((yield* health.live).live)
      yield* travel(60_000)
      const { live, silent } = yield* health.live
      assert.isFalse(live)
      assert.deepStrictEqual(silent.map(({ loop }) => loop).sort(), ["monitor", "retain"])
    }).pipe(Effect.provide(collectorOn(hanging("XINFO", () => hangs))))
  })

  it.effect("an outage of Redis silences nobody: not the dispatcher, whose permits all wait for it", () => {
    let away = false
    const api = new ScriptedApi()
    // Fails first, so that retries are due while every permit is taken by one that cannot be acknowledged.
    api.answer = ({ attempt }) => (attempt === 1 ? { status: 500 } : success)
    const gone = Effect.fail(new RedisError({ cause: new Error("Connection is closed.") }))
    const leaving = Layer.effect(
      Redis,
      Effect.gen(function* () {
        const real = yield* Effect.provide(Redis, layerOf(yield* makeEngine))
        const send = <A>(name: string, ...args: ReadonlyArray<string>): Effect.Effect<A, RedisError> =>
          Effect.suspend(() => (away ? gone : real.send<A>(name, ...args)))
        return Redis.of({ ...real, send, reserve: Effect.map(real.reserve, (own) => ({ ...own, send })) })
      })
    )
    return Effect.gen(function* () {
      const { health } = yield* JobCollector
      const redis = yield* Redis
      yield* travel(2_000)
      for (let n = 0; n < 12; n++) yield* addEvent(redis, `evt-${n}`)
      yield* travel(1_000)
      away = true
      yield* travel(300_000)
      assert.deepStrictEqual(yield* health.live, { live: true, silent: [] })
      away = false
      yield* travel(120_000)
      assert.strictEqual(api.attempts.filter(({ attempt }) => attempt === 2).length, 12)
    }).pipe(Effect.provide(collectorOn(leaving, { deliveryConcurrency: 4 }, api)))
  })

  it.effect("with HEALTH_INTERVAL above two minutes, too", () =>
    Effect.gen(function* () {
      const { health } = yield* JobCollector
      for (let minute = 0; minute < 12; minute++) {
        yield* travel(60_000)
        assert.deepStrictEqual(yield* health.live, { live: true, silent: [] })
      }
    }).pipe(Effect.provide(collectorOn(memoryLayer, { healthInterval: Duration.minutes(5) })))
  )

  describe("of configuration sync", () => {
    /** A collector whose API serves one bundle, after a while. */
    const syncing = (
      options: {
        readonly interval: Duration.Input
        readonly apiTimeout?: Duration.Input
        readonly delay?: Duration.Input
      },
      gateway: Gateway["Service"] = Gateway.none,
      files: Layer.Layer<FileSystem.FileSystem> = MemoryFileSystem.layer
    ) => {
      const { apiTimeout = "10 seconds", delay = 0, interval } = options
      const api = Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make((request) =>
          Effect.delay(
            Effect.sync(() => new LeanHttpResponse(request, request.url, 200, {}, bodyOf(bundleOf(42)))),
            delay
          )
        )
      )
      return JobCollector.layer({
        apiBaseUrl: "http://api.test",
        apiTimeout: Duration.fromInputUnsafe(apiTimeout),
        configSync: { interval: Duration.fromInputUnsafe(interval), directory: "/config", drift: "repair" }
      }).pipe(
        Layer.provide(Layer.mergeAll(memoryLayer, api, NativeSigner.layer(testPrivateKey), files)),
        Layer.provide(Layer.succeed(Gateway, gateway)),
        Layer.provide(Logger.layer([]))
      )
    }

    const staysLive = (minutes: number) =>
      Effect.gen(function* () {
        const { health } = yield* JobCollector
        for (let minute = 0; minute < minutes; minute++) {
          yield* travel(60_000, 10_000)
          assert.deepStrictEqual(yield* health.live, { live: true, silent: [] })
        }
        return (yield* health.report).checks.config_sync
      })

    it.effect("the next tick may be an hour away", () =>
      Effect.gen(function* () {
        const { last_tick_at, outcome } = yield* staysLive(150)
        assert.strictEqual(outcome, "unchanged")
        assert.match(String(last_tick_at), /^1970-01-01T02:0/)
      }).pipe(Effect.provide(syncing({ interval: "1 hour" })))
    )

    it.effect("a request may take as long as API_TIMEOUT lets it", () =>
      Effect.gen(function* () {
        const { outcome } = yield* staysLive(30)
        assert.strictEqual(outcome, "unchanged")
      }).pipe(Effect.provide(syncing({ interval: "1 minute", apiTimeout: "10 minutes", delay: "9 minutes" })))
    )

    it.effect("a tick may wait for long at each of its steps", () => {
      const slow = Effect.delay(Effect.void, "100 seconds")
      const gateway = {
        configured: true,
        reportsVersion: true,
        reachable: slow,
        reload: slow,
        runningVersion: Effect.as(slow, 42)
      }
      return Effect.gen(function* () {
        const { outcome } = yield* staysLive(20)
        assert.strictEqual(outcome, "unchanged")
      }).pipe(Effect.provide(syncing({ interval: "1 minute" }, gateway)))
    })

    const deaf = { ...Gateway.none, configured: true, reload: Effect.never }

    const isReported = Effect.gen(function* () {
      const { health } = yield* JobCollector
      yield* travel(100_000)
      assert.isTrue((yield* health.live).live)
      yield* travel(90_000)
      const { live, silent } = yield* health.live
      assert.isFalse(live)
      assert.deepStrictEqual(
        silent.map(({ loop }) => loop),
        ["config_sync"]
      )
    })

    it.effect("a gateway that is never done with being told is reported", () =>
      isReported.pipe(Effect.provide(syncing({ interval: "1 minute" }, deaf)))
    )

    it.effect("a consumer name that is lost meanwhile does not hide it", () =>
      Effect.gen(function* () {
        yield* travel(60_000)
        const redis = yield* Redis
        const { consumerGroup, consumerName, streams } = defaultOptions
        const lease = `{${streams[0]?.transcribe}}:lease:${consumerGroup}:${consumerName}`
        assert.isString(yield* redis.send("GET", lease))
        yield* redis.send("SET", lease, "another process", "PX", "3600000")
        yield* travel(90_000)
        const { health } = yield* JobCollector
        const { consumer_groups } = (yield* health.report).checks
        assert.strictEqual(consumer_groups.consumer, `${consumerName}-2`)
        assert.deepStrictEqual(
          (yield* health.live).silent.map(({ loop }) => loop),
          ["config_sync"]
        )
      }).pipe(Effect.provide(Layer.merge(syncing({ interval: "1 minute" }, deaf), memoryLayer)))
    )

    it.effect("a file system that stops answering is reported", () => {
      let hangs = false
      const files = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) =>
          FileSystem.FileSystem.of({
            ...fs,
            stat: (path) => Effect.suspend(() => (hangs ? Effect.never : fs.stat(path)))
          })
        )
      ).pipe(Layer.provide(MemoryFileSystem.layer))
      return Effect.gen(function* () {
        yield* staysLive(5)
        hangs = true
        yield* isReported
      }).pipe(Effect.provide(syncing({ interval: "1 minute" }, Gateway.none, files)))
    })
  })
})
