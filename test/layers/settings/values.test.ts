import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Layer, Redacted } from "effect"
import { defaultOptions, defaultStreams } from "../../../src/domain/options/options.ts"
import * as Environment from "../../../src/layers/settings/Environment.ts"
import {
  everything,
  fileSystem,
  files,
  linesOf,
  load,
  minimal,
  publicKey,
  seed,
  settingsOf,
  type Variables
} from "./world.ts"

describe("defaults", () => {
  it.effect("are those of the contract, with only what is required set", () =>
    Effect.gen(function* () {
      const { settings, warnings } = yield* load(everything, minimal)
      expect(warnings).toEqual([])
      expect(settings.collector).toEqual({
        ...defaultOptions,
        configSync: {
          interval: Duration.seconds(60),
          directory: "/config",
          drift: "repair",
          fileGroup: undefined
        },
        apiBaseUrl: "https://api.example",
        consumerName: "host-1"
      })
      expect(settings.collector.streams).toEqual([defaultStreams])
      if (settings.redis._tag !== "Server") throw new Error("not a server")
      expect(Redacted.value(settings.redis.options.url)).toBe("redis://127.0.0.1:6379")
      expect({ ...settings.redis.options, url: undefined }).toEqual({
        url: undefined,
        password: undefined,
        tlsCa: undefined,
        cluster: undefined,
        sentinels: undefined
      })
      expect(Redacted.value(settings.signing.privateKey)).toBe(seed)
      expect(settings.signing.publicKey).toBeUndefined()
      expect(settings.configSync).toEqual({
        enabled: true,
        interval: Duration.seconds(60),
        directory: "/config",
        drift: "repair",
        fileGroup: undefined
      })
      expect(settings.gateway).toEqual({
        pidFile: undefined,
        reloadCommand: undefined,
        statusFile: undefined,
        statusUrl: undefined
      })
      expect(settings.http).toEqual({ host: "127.0.0.1", port: 9464 })
      expect(settings.logging).toEqual({ level: "Info", format: undefined })
      expect(settings.telemetry).toEqual({ endpoint: undefined, tracesSampler: 1 })
    })
  )

  it.effect("also hold for variables that are set to nothing", () =>
    Effect.gen(function* () {
      const names = "REDIS_URL CLAIM_IDLE STREAM_SHARDS GATEWAY_PID_FILE HTTP_PORT LOG_LEVEL SERVICE_ID CONSUMER_NAME"
      const empty = Object.fromEntries(names.split(" ").map((name) => [name, ""]))
      for (const preserveEmptyStrings of [false, true]) {
        const provider = ConfigProvider.fromEnvRecord({ ...minimal, ...empty }, { preserveEmptyStrings })
        const read = Environment.load(everything).pipe(
          Effect.provide(Layer.mergeAll(fileSystem, ConfigProvider.layer(provider)))
        )
        expect((yield* read).settings).toEqual(yield* settingsOf(everything, minimal))
      }
    })
  )

  it.effect("a group asks only for its own variables", () =>
    Effect.gen(function* () {
      const bad = { REDIS_URL: "nonsense", LOG_LEVEL: "loud" }
      expect(yield* settingsOf(Environment.http, bad)).toEqual({ host: "127.0.0.1", port: 9464 })
      expect(yield* linesOf(Environment.redis, bad)).toHaveLength(1)
    })
  )
})

describe("values", () => {
  it.effect("every variable arrives where it belongs", () =>
    Effect.gen(function* () {
      const read = yield* settingsOf(everything, {
        REDIS_URL: "rediss://user:p%40ss@redis.example:6380",
        REDIS_CLUSTER_NODES: "a:1, [::1]:65535",
        REDIS_PASSWORD_FILE: "/run/password",
        REDIS_TLS_CA_FILE: "/run/ca",
        API_BASE_URL: "https://api.example/base/",
        API_TIMEOUT: "2.5 seconds",
        API_REJECT_STATUSES: "404, 599",
        ED25519_PRIVATE_KEY_FILE: "/run/key",
        ED25519_PUBLIC_KEY: publicKey,
        SERVICE_ID: "eu_2",
        SIGNATURE_SCHEMES: "v1, rfc9421",
        CONSUMER_GROUP: "group",
        CONSUMER_NAME: "consumer",
        STREAM_TRANSCRIBE: "{m}:t:{shard}",
        STREAM_PROCESS: "{m}:p:{shard}",
        STREAM_DLQ: "{m}:d:{shard}",
        STREAM_ABANDONED: "{m}:a:{shard}",
        STREAM_SHARDS: "x, y",
        GROUP_START_ID: "1766400000000-3",
        DELIVERY_CONCURRENCY: "1",
        DELIVERY_RATE: "100/s",
        DLQ_HOLD: "5",
        CLAIM_IDLE: "500 millis",
        MAX_DELIVERIES: "1",
        EVENT_MAX_AGE: "1 day",
        EVENT_MAX_SKEW: "1 minute",
        SOURCE_RETENTION: "2 days",
        OUTCOME_RETENTION: "30 days",
        CIRCUIT_BREAKER: "off",
        ISOLATE_BY: "session_id, model",
        ISOLATE_SHARE: "0.25",
        CONFIG_SYNC: "off",
        CONFIG_SYNC_INTERVAL: "1 second",
        CONFIG_DIR: "/etc/gateway",
        CONFIG_DRIFT: "report",
        CONFIG_FILE_GROUP: "gateway",
        GATEWAY_RELOAD_COMMAND: '["systemctl", "reload", "gateway"]',
        GATEWAY_STATUS_URL: "http://127.0.0.1:9/status",
        HTTP_HOST: "::",
        HTTP_PORT: "0",
        HEALTH_INTERVAL: "1 second",
        SHUTDOWN_TIMEOUT: "2 seconds",
        LOG_LEVEL: "DEBUG",
        LOG_FORMAT: "logfmt",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://user:pass@127.0.0.1:4318",
        OTEL_TRACES_SAMPLER_ARG: "0.25"
      })
      const set = (shard: string) => ({
        transcribe: `{m}:t:${shard}`,
        process: `{m}:p:${shard}`,
        dlq: `{m}:d:${shard}`,
        abandoned: `{m}:a:${shard}`
      })
      expect(read.collector).toEqual({
        apiBaseUrl: "https://api.example/base",
        apiTimeout: Duration.millis(2500),
        rejectStatuses: new Set([404, 599]),
        serviceId: "eu_2",
        signatureSchemes: ["v1", "rfc9421"],
        consumerGroup: "group",
        consumerName: "consumer",
        streams: [set("x"), set("y")],
        groupStartId: "1766400000000-3",
        deliveryConcurrency: 1,
        deliveryRate: { count: 100, perMs: 1_000 },
        dlqHold: 5,
        claimIdle: Duration.millis(500),
        maxDeliveries: 1,
        eventMaxAge: Duration.days(1),
        eventMaxSkew: Duration.minutes(1),
        sourceRetention: Duration.days(2),
        outcomeRetention: Duration.days(30),
        circuitBreaker: false,
        isolateBy: ["session_id", "model"],
        isolateShare: 0.25,
        shutdownTimeout: Duration.seconds(2),
        healthInterval: Duration.seconds(1),
        alerts: undefined,
        builtInKinds: true,
        apiProbe: true,
        name: undefined,
        kinds: []
      })
      if (read.redis._tag !== "Server") throw new Error("not a server")
      const { url, password, ...redis } = read.redis.options
      expect(Redacted.value(url)).toBe("rediss://user:p%40ss@redis.example:6380")
      expect(Redacted.value(password!)).toBe("hunter2")
      expect(redis).toEqual({
        tlsCa: files["/run/ca"],
        cluster: [
          { host: "a", port: 1 },
          { host: "::1", port: 65_535 }
        ],
        sentinels: undefined
      })
      expect(Redacted.value(read.signing.privateKey)).toBe(`${seed}\n`)
      expect(read.signing.publicKey).toBe(publicKey)
      expect(read.configSync).toEqual({
        enabled: false,
        interval: Duration.seconds(1),
        directory: "/etc/gateway",
        drift: "report",
        fileGroup: "gateway"
      })
      expect(read.gateway).toEqual({
        pidFile: undefined,
        reloadCommand: '["systemctl", "reload", "gateway"]',
        statusFile: undefined,
        statusUrl: "http://127.0.0.1:9/status"
      })
      expect(read.http).toEqual({ host: "::", port: 0 })
      expect(read.logging).toEqual({ level: "Debug", format: "logfmt" })
      expect(read.telemetry).toEqual({ endpoint: "http://user:pass@127.0.0.1:4318", tracesSampler: 0.25 })
    })
  )

  it.effect("words of their own", () =>
    Effect.gen(function* () {
      const read = (variables: Variables) => settingsOf(everything, { ...minimal, ...variables })
      expect((yield* read({ API_REJECT_STATUSES: "none" })).collector.rejectStatuses).toEqual(new Set())
      expect((yield* read({ SOURCE_RETENTION: "acknowledged" })).collector.sourceRetention).toBe("acknowledged")
      expect((yield* read({ GROUP_START_ID: "0" })).collector.groupStartId).toBe("0")
      expect((yield* read({ REDIS_URL: "memory:" })).redis).toEqual({ _tag: "Memory" })
      expect((yield* read({ LOG_LEVEL: "warn" })).logging.level).toBe("Warn")
      expect((yield* read({ OTEL_TRACES_SAMPLER_ARG: "0" })).telemetry.tracesSampler).toBe(0)
      const { redis } = yield* read({ REDIS_SENTINELS: "s:26379", REDIS_SENTINEL_NAME: "mymaster" })
      expect(redis._tag === "Server" && redis.options.sentinels).toEqual({
        nodes: [{ host: "s", port: 26_379 }],
        name: "mymaster"
      })
    })
  )
})
