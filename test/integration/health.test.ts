import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { Duration, Effect, Layer, Logger, References } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { JobCollector } from "../../src/JobCollector.ts"
import { version } from "../../src/layers/node/Host.ts"
import {
  type CollectorHttp,
  type CollectorHttpOptions,
  publicKey,
  startCollectorHttp
} from "../support/collector-http.ts"
import { transcribeFields } from "../support/events.ts"
import { prometheusBinaries } from "../support/prometheus-binary.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { redisCommand } from "../support/redis-command.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { group, transcribe } from "../support/streams.ts"

let redis: RedisServer
let api: ReceivingApi
let collector: CollectorHttp | undefined

beforeEach(async () => {
  redis = await RedisServer.start()
  api = await ReceivingApi.start(publicKey)
})
afterEach(async () => {
  await collector?.close()
  collector = undefined
  await api.close()
  await redis.stop()
})

/** Starts the collector; unless said otherwise the health loop looks so rarely that only what it is told can show. */
const start = async (
  options: Partial<CollectorHttpOptions["options"]> = {},
  more: Partial<CollectorHttpOptions> = {}
): Promise<CollectorHttp> => {
  collector = await startCollectorHttp({
    redisUrl: redis.url,
    options: {
      apiBaseUrl: api.url,
      groupStartId: "0",
      healthInterval: Duration.minutes(1),
      shutdownTimeout: Duration.seconds(20),
      ...options
    },
    ...more
  })
  return collector
}

const status = async (running: CollectorHttp, path: string) => (await running.get(path)).status

const checks = async (running: CollectorHttp): Promise<Record<string, Record<string, unknown>>> =>
  (await running.get("/health")).json().checks as never

const untilReady = (running: CollectorHttp) =>
  waitUntil("it is ready", async () => (await status(running, "/health/ready")) === 200)

const add = (id: string) => redisCommand(redis.port, "XADD", transcribe, "*", ...transcribeFields(id, Date.now()))

describe("the endpoints", () => {
  it("say ok with the figures of every check", async () => {
    const running = await start({ healthInterval: Duration.millis(100) })
    await untilReady(running)
    await add("e-1")
    await waitUntil("delivered", () => api.charges.has("e-1"))
    await waitUntil("its figures are read", async () => {
      const [first] = (await checks(running)).consumer_groups!.streams as Array<Record<string, unknown>>
      return first?.length === 1 && first.pending === 0 && first.lag === 0
    })
    const health = await running.get("/health")
    expect(health.status).toBe(200)
    expect(health.type).toMatch(/^application\/json/)
    expect(health.json()).toMatchObject({
      status: "ok",
      checks: {
        redis: { status: "ok", round_trip_ms: expect.any(Number) },
        api: { status: "ok", circuit: "closed", recent_failed: 0 },
        signing_key: { status: "ok", public_key: publicKey.toString("hex") },
        consumer_groups: {
          status: "ok",
          group: group,
          consumer: "consumer-1",
          streams: [
            { stream: transcribe, label: "transcribe", ready: true, lag: 0, oldest_pending_seconds: 0, consumers: 1 },
            { label: "process", length: 0 },
            { label: "dlq", length: 0 }
          ]
        },
        config_sync: { status: "off" },
        gateway: { status: "off" }
      }
    })
    expect((await running.get("/health/live")).json()).toEqual({ live: true, silent: [] })
    expect((await running.get("/health/ready")).json()).toEqual({ ready: true, reasons: [] })
  })

  it("serve metrics that promtool has nothing to say against, every series at 0 from the start", async () => {
    const running = await start()
    await untilReady(running)
    const metrics = await running.get("/metrics")
    expect(metrics.type).toBe("text/plain; version=0.0.4; charset=utf-8")
    execFileSync(prometheusBinaries().promtool, ["check", "metrics"], { input: metrics.text, stdio: "pipe" })
    expect(metrics.text).toContain('job_collector_deliveries_total{stream="dlq",outcome="abandoned"} 0\n')
    expect(metrics.text).toContain("job_collector_delivery_duration_seconds_count 0\n")
    expect(metrics.text).toContain("job_collector_event_age_seconds_count 0\n")
    expect(metrics.text).toContain('job_collector_fiber_restarts_total{fiber="health"} 0\n')
    await add("e-1")
    await waitUntil("counted", async () =>
      (await running.get("/metrics")).text.includes(
        'job_collector_deliveries_total{stream="transcribe",outcome="delivered"} 1\n'
      )
    )
  })

  it("serve what Redis, the build and the settings are like", async () => {
    await redis.stop()
    redis = await RedisServer.start(["--maxmemory", "1gb"])
    const running = await start({ consumerName: "collector-0", deliveryConcurrency: 7 })
    await untilReady(running)
    const id = createHash("sha256").update(publicKey).digest("hex").slice(0, 16)
    const build = `job_collector_build_info{version="${version}",consumer="collector-0",key_id="${id}"} 1\n`
    await waitUntil("the first look at Redis is done", async () =>
      (await running.get("/metrics")).text.includes("job_collector_redis_memory_used_ratio")
    )
    const { text } = await running.get("/metrics")
    expect(text).toContain(build)
    expect(text).toContain("job_collector_delivery_concurrency 7\n")
    for (const zero of [
      "abandoned_length",
      "abandoned_oldest_seconds",
      "config_changes_total",
      'circuit_openings_total{scope="api"}'
    ]) {
      expect(text).toContain(`job_collector_${zero} 0\n`)
    }
    const figure = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1])
    expect(figure("job_collector_redis_memory_used_ratio")).toBeGreaterThan(0)
    expect(figure("job_collector_redis_memory_used_ratio")).toBeLessThan(0.1)
    expect(figure("job_collector_redis_round_trip_seconds")).toBeGreaterThan(0)
    expect(figure("job_collector_redis_round_trip_seconds")).toBeLessThan(5)
    await redis.down()
    await waitUntil("it is not ready", async () => (await status(running, "/health/ready")) === 503)
    await waitUntil(
      "no round trip is shown",
      async () => !(await running.get("/metrics")).text.includes("job_collector_redis_round_trip_seconds ")
    )
    await redis.up()
  })

  it("can be mounted on a host's own router, below a path of its own", async () => {
    const routes = Layer.mergeAll(
      Layer.unwrap(
        Effect.gen(function* () {
          const router = yield* HttpRouter.HttpRouter
          return JobCollector.routes.pipe(
            Layer.provide(Layer.succeed(HttpRouter.HttpRouter, router.prefixed("/collector")))
          )
        })
      ),
      HttpRouter.add("GET", "/own", HttpServerResponse.text("the host's"))
    )
    const running = await start({}, { routes })
    await waitUntil("ready", async () => (await status(running, "/collector/health/ready")) === 200)
    expect((await running.get("/own")).text).toBe("the host's")
    expect(await status(running, "/health/live")).toBe(404)
  })

  it("health and metrics mount each by itself, below prefixes, more than once, beside the host's own metrics", async () => {
    const routes = Layer.mergeAll(
      PrometheusMetrics.layerHttp(),
      JobCollector.healthRoutes(),
      JobCollector.healthRoutes({ prefix: "/a/b" }),
      JobCollector.metricsRoutes({ prefix: "/collector" })
    )
    const running = await start({}, { routes })
    for (const path of ["/health/ready", "/a/b/health/ready"]) {
      await waitUntil(path, async () => (await status(running, path)) === 200)
    }
    expect(await status(running, "/a/b/health")).toBe(200)
    expect(await status(running, "/a/b/health/live")).toBe(200)
    expect(await status(running, "/a/b/metrics")).toBe(404)
    for (const path of ["/metrics", "/collector/metrics"]) {
      expect((await running.get(path)).text).toContain("job_collector_in_flight")
    }
  })
})

describe("real faults", () => {
  it("Redis stopped: down and not ready at once, alive all the while, ready again when it is back", async () => {
    const running = await start()
    await untilReady(running)
    await redis.down()
    // Told by the connection: the health loop looks a minute later.
    await waitUntil("it is not ready", async () => (await status(running, "/health/ready")) === 503)
    const health = await running.get("/health")
    expect(health.status).toBe(503)
    expect(health.json()).toMatchObject({
      status: "down",
      checks: { redis: { status: "down" }, consumer_groups: { status: "down", problem: "Redis is away" } }
    })
    expect(await status(running, "/health/live")).toBe(200)
    expect((await running.get("/metrics")).text).toContain("job_collector_redis_up 0\n")
    await redis.up()
    await untilReady(running)
    await waitUntil("it is well", async () => (await running.get("/health")).json().status === "ok")
  })

  it("an outage of Redis is a line when it begins and one when it ends, however much waits for it", async () => {
    await redis.stop()
    redis = await RedisServer.start(["--appendonly", "yes"])
    const said: Array<string> = []
    let whispered = 0
    const listen = Logger.map(Logger.formatStructured, ({ level, message }) => {
      if (level !== "DEBUG") said.push(String(message))
      else if (message === "redis.failed") whispered += 1
    })
    const ambient = Layer.mergeAll(Logger.layer([listen]), Layer.succeed(References.MinimumLogLevel, "Debug"))
    // Each that fails is to be moved, in a command of its own.
    let fail = () => {}
    const redisIsAway = new Promise<void>((resolve) => {
      fail = resolve
    })
    api.answer = () => ({ status: 500, after: redisIsAway })
    const running = await start({ circuitBreaker: false }, { ambient })
    await untilReady(running)
    await Promise.all(Array.from({ length: 64 }, (_, i) => add(`e-${i}`)))
    await waitUntil("all are in flight", () => api.requests.length === 64)
    const before = said.length
    await redis.down()
    fail()
    await waitUntil("much has failed", () => whispered > 100)
    await redis.up()
    await untilReady(running)
    await waitUntil("its end is said", () => said.includes("redis.recovered"))
    // A second one where it took longer than ten seconds.
    expect([1, 2]).toContain(said.filter((line) => line === "redis.failed").length)
    expect(said.filter((line) => line === "redis.recovered")).toHaveLength(1)
    expect(said.length - before).toBeLessThan(16)
  })

  it("away from the start: alive, down, not ready", async () => {
    await redis.down()
    const running = await start()
    const health = await running.get("/health")
    expect(health.status).toBe(503)
    expect(await status(running, "/health/ready")).toBe(503)
    expect(await status(running, "/health/live")).toBe(200)
    await redis.up()
    await untilReady(running)
  })

  it("a key that is no stream: down, naming the stream, until it is gone", async () => {
    const running = await start()
    await untilReady(running)
    await redisCommand(redis.port, "DEL", transcribe)
    await redisCommand(redis.port, "SET", transcribe, "taken")
    await waitUntil("the reader has met it", async () => (await running.get("/health")).text.includes("WRONGTYPE"))
    expect(await status(running, "/health")).toBe(503)
    expect((await checks(running)).consumer_groups).toMatchObject({
      status: "down",
      problem: `not read at present: ${transcribe}`,
      streams: [{ ready: false, problem: expect.stringContaining("WRONGTYPE") }, { ready: true }, { ready: true }]
    })
    expect((await running.get("/health/ready")).json()).toMatchObject({
      ready: false,
      reasons: [expect.stringContaining("consumer groups")]
    })
    await redisCommand(redis.port, "DEL", transcribe)
    await untilReady(running)
  })

  it("a group destroyed without the right to create it again: down until the right is back", async () => {
    const running = await start()
    await untilReady(running)
    const destroy = () => redisCommand(redis.port, "XGROUP", "DESTROY", transcribe, group)
    await destroy()
    // With the right it is created again, and nothing is missed.
    await add("e-1")
    await waitUntil("delivered", () => api.charges.has("e-1"))
    await redisCommand(redis.port, "ACL", "SETUSER", "default", "-xgroup|create")
    await destroy()
    await waitUntil("down", async () => (await status(running, "/health")) === 503)
    const { consumer_groups } = await checks(running)
    expect(consumer_groups).toMatchObject({ status: "down", streams: [{ ready: false }, {}, {}] })
    await redisCommand(redis.port, "ACL", "SETUSER", "default", "+xgroup|create")
    await untilReady(running)
    await add("e-2")
    await waitUntil("delivered", () => api.charges.has("e-2"))
  })

  it("the API away: degraded and ready, the circuit open; ok again with a success", async () => {
    const running = await start({ healthInterval: Duration.millis(200) })
    await untilReady(running)
    await api.close()
    await Promise.all(Array.from({ length: 12 }, (_, i) => add(`e-${i}`)))
    await waitUntil("the circuit is open", async () => (await checks(running)).api?.circuit === "open")
    const health = await running.get("/health")
    expect(health.status).toBe(200)
    expect(health.json()).toMatchObject({
      status: "degraded",
      checks: {
        api: { status: "degraded", problem: expect.stringContaining("circuit"), last_failure: { code: "NETWORK" } },
        redis: { status: "ok" }
      }
    })
    expect(await status(running, "/health/ready")).toBe(200)
    await api.listen()
    await waitUntil("ok", async () => (await running.get("/health")).json().status === "ok", 60_000)
  }, 90_000)

  it("an idle collector finds out by a signed GET of its own that the API is away, and that it refuses", async () => {
    const running = await start({ healthInterval: Duration.millis(100) })
    await waitUntil("asked", () => api.polls.length > 0)
    expect(api.polls[0]?.verified).toBe(true)
    api.answerPoll = () => ({ status: 401 })
    await waitUntil("degraded", async () => (await checks(running)).api?.status === "degraded")
    expect((await checks(running)).api?.problem).toContain("HTTP_401")
    // Without configuration sync an API need not have configurations.
    api.answerPoll = () => ({ status: 404 })
    await waitUntil("ok", async () => (await checks(running)).api?.status === "ok")
    await api.close()
    await waitUntil("degraded", async () => (await checks(running)).api?.status === "degraded")
    expect((await checks(running)).api?.problem).toContain("NETWORK")
  })

  it("a stop: not ready from its first moment, while what is in flight is still being finished", async () => {
    const running = await start()
    await untilReady(running)
    let finish = () => {}
    const held = new Promise<void>((resolve) => {
      finish = resolve
    })
    api.answer = () => ({ status: 200, body: { job_id: 1, credits_deducted: 58 }, after: held })
    await add("e-1")
    await waitUntil("in flight", () => api.requests.some(({ eventId }) => eventId === "e-1"))
    const stopped = running.stop()
    const ready = await running.get("/health/ready")
    expect(ready.status).toBe(503)
    expect(ready.json()).toEqual({ ready: false, reasons: ["stopping"] })
    expect(await status(running, "/health/live")).toBe(200)
    finish()
    await stopped
    expect(await status(running, "/health/live")).toBe(200)
    const pending = (await redisCommand(redis.port, "XPENDING", transcribe, group)) as Array<unknown>
    expect(pending[0]).toBe(0)
  })
})
