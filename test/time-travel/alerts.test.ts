/** What is told by itself, when, by whom and how often (contract section 8, "Told by itself"). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Logger, Metric, type Scope } from "effect"
import { HttpClient } from "effect/http"
import type { JobCollectorOptions } from "../../src/JobCollector.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { addEvent } from "../support/streams.ts"
import {
  type Attempt,
  type ScriptedAnswer,
  ScriptedApi,
  success,
  testPrivateKey,
  travel
} from "../support/time-machine.ts"

const hook = "http://hook.test/services/s3cret?key=s3cret"

/** An API and a webhook, which may be another's. */
class Hooked extends ScriptedApi {
  events: (attempt: Attempt) => ScriptedAnswer = () => success
  hook: () => ScriptedAnswer = () => ({ status: 204 })

  constructor() {
    super()
    this.answer = (attempt) => (attempt.path === "/services/s3cret" ? this.hook() : this.events(attempt))
  }

  /** What was posted, and when. */
  get posts() {
    return this.attempts.flatMap(({ at, headers, path }, i) =>
      path === "/services/s3cret" ? [{ at, headers, body: this.bodies[i] ?? {} }] : []
    )
  }

  get texts(): ReadonlyArray<readonly [at: number, text: unknown]> {
    return this.posts.map(({ at, body }) => [at, body.text] as const)
  }
}

/** A Redis that can be away. */
class Away {
  is = false

  through(redis: Redis["Service"]): Redis["Service"] {
    const send: Redis["Service"]["send"] = (name, ...args) =>
      Effect.suspend(() =>
        this.is ? Effect.fail(new RedisError({ cause: new Error("Connection is closed.") })) : redis.send(name, ...args)
      )
    return Redis.of({ ...redis, send, reserve: Effect.map(redis.reserve, (own) => ({ ...own, send })) })
  }
}

const lines: Array<string> = []
const logged = Logger.layer([
  Logger.make(({ message }) => {
    lines.push(String(message))
  })
])

const replica = (api: Hooked, consumerName: string, away: Away, options: Partial<JobCollectorOptions> = {}) =>
  Effect.gen(function* () {
    const redis = yield* Redis
    const layer = JobCollector.layer({
      apiBaseUrl: "http://api.test",
      consumerName,
      apiProbe: false,
      alerts: { url: hook },
      ...options,
      configSync: undefined
    }).pipe(
      Layer.provide([Layer.succeed(Redis, away.through(redis)), api.layer, NativeSigner.layer(testPrivateKey), logged])
    )
    const context = yield* Layer.build(Layer.fresh(layer))
    yield* travel(100, 10)
    return Context.get(context, JobCollector)
  })

const world = <A, E>(test: (api: Hooked, away: Away) => Effect.Effect<A, E, Redis | Scope.Scope>) =>
  Effect.suspend(() => {
    lines.length = 0
    return test(new Hooked(), new Away()).pipe(
      Effect.scoped,
      Effect.provide(MemoryRedis.layer),
      Effect.provide(patientClock),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  })

const add = (id: string, fields = {}) => Redis.use((redis) => addEvent(redis, id, fields))
const refused = { status: 422, body: { error_message: "no <such> model" } }
const down = { status: 503 }

describe("alerts", () => {
  it.effect("the first abandoned event of a reason is told at once, then how many since, five minutes later", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = () => refused
        yield* replica(api, "c-1", away)
        const start = yield* Clock.currentTimeMillis
        yield* add("e-1")
        yield* travel(1_000, 100)
        const [first] = api.posts
        assert.strictEqual(first?.at, start)
        assert.deepStrictEqual(first?.body, {
          kind: "abandoned",
          at: new Date(start).toISOString(),
          text: "Event e-1 was abandoned as rejected: HTTP_422: no <such> model",
          service: "job-collector",
          group: "job-collector-group",
          replica: "c-1",
          left_out: 0,
          details: {
            reason: "rejected",
            event_id: "e-1",
            stream: "modelsgateway:events:transcribe",
            attempts: 1,
            error_code: "HTTP_422",
            error_message: "no <such> model",
            count: 1
          }
        })
        for (let i = 2; i <= 5; i++) yield* add(`e-${i}`)
        yield* travel(298_000, 1_000)
        assert.strictEqual(api.posts.length, 1)
        yield* travel(2_000, 100)
        assert.deepStrictEqual(api.texts[1], [
          start + 300_000,
          "4 events were abandoned as rejected, the last of them e-5: HTTP_422: no <such> model"
        ])
        // Another reason is another thing.
        yield* add("e-6", { audio_seconds: "x" })
        yield* travel(1_000, 100)
        assert.match(String(api.texts[2]?.[1]), /^Event e-6 was abandoned as invalid/)
      })
    )
  )

  it.effect("is signed as requests to the API are", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = () => refused
        yield* replica(api, "c-1", away)
        yield* add("e-1")
        yield* travel(100, 10)
        const { headers } = api.posts[0] ?? {}
        assert.match(String(headers?.authorization), /^Ed25519 \d+:[A-Za-z0-9+/]{86}==$/)
        assert.strictEqual(headers?.["x-service-id"], "job-collector")
        assert.match(String(headers?.["x-key-id"]), /^[0-9a-f]{16}$/)
        assert.strictEqual(headers?.["content-type"], "application/json")
      })
    )
  )

  it.effect("a circuit that opens is told, and one that closes within the minute when that is over", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = () => down
        yield* replica(api, "c-1", away, { healthInterval: "1 hour", isolateBy: [] })
        for (let i = 0; i < 20; i++) yield* add(`e-${i}`)
        yield* travel(2_000, 100)
        const [opened] = api.posts.filter(({ body }) => body.kind === "circuit")
        assert.deepStrictEqual(opened?.body.details, {
          state: "open",
          error_code: "HTTP_503",
          error_message: "the API answered with status 503"
        })
        api.events = () => success
        yield* travel(90_000, 500)
        const told = api.posts.filter(({ body }) => body.kind === "circuit")
        assert.strictEqual(told.length, 2)
        assert.deepStrictEqual(told[1]?.body.details, { state: "closed" })
        assert.strictEqual(told[1]?.at, (opened?.at ?? 0) + 60_000)
      })
    )
  )

  it.effect("one of several replicas tells, and what they saw is counted together", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = () => refused
        for (const name of ["c-1", "c-2", "c-3"]) yield* replica(api, name, away, { deliveryConcurrency: 1 })
        for (let i = 0; i < 30; i++) yield* add(`e-${i}`)
        yield* travel(330_000, 1_000)
        const counts = api.posts.map(({ body }) => (body.details as { readonly count: number }).count)
        assert.strictEqual(counts.length, 2)
        assert.strictEqual(
          counts.reduce((a, b) => a + b, 0),
          30
        )
      })
    )
  )

  it.effect("every replica sees Redis go; who cannot agree tells alone, and that it is back one tells for all", () =>
    world((api, away) =>
      Effect.gen(function* () {
        for (const name of ["c-1", "c-2"]) yield* replica(api, name, away)
        yield* travel(30_000)
        assert.deepStrictEqual(api.texts, [])
        away.is = true
        yield* travel(30_000)
        const gone = api.posts.map(({ body }) => [body.replica, (body.details as { status: string }).status])
        assert.deepStrictEqual(gone.toSorted(), [
          ["c-1", "down"],
          ["c-2", "down"]
        ])
        away.is = false
        yield* travel(120_000)
        assert.strictEqual(api.posts.length, 3)
        assert.match(String(api.texts[2]?.[1]), /^Health is ok; it was down/)
      })
    )
  )

  it.effect("in Slack's form it is a text, in which nothing stands for a mention", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = () => refused
        yield* replica(api, "c-1", away, { alerts: { url: hook, format: "slack" } })
        yield* add("e-1")
        yield* travel(100, 10)
        assert.deepStrictEqual(api.posts[0]?.body, {
          text: "[job-collector job-collector-group c-1] Event e-1 was abandoned as rejected: HTTP_422: no &lt;such&gt; model"
        })
      })
    )
  )

  it.effect("a webhook that fails is asked four times, and said to fail without its address; deliveries go on", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = ({ eventId }) => (eventId === "bad" ? refused : success)
        api.hook = () => ({ status: 500, delay: 30_000 })
        yield* replica(api, "c-1", away)
        const start = yield* Clock.currentTimeMillis
        yield* add("bad")
        yield* travel(5_000, 100)
        for (let i = 0; i < 50; i++) yield* add(`good-${i}`)
        yield* travel(1_000, 100)
        assert.strictEqual(api.delivered.length, 50)
        yield* travel(120_000)
        // Ten seconds each, and 1, 5 and 25 seconds between them.
        assert.deepStrictEqual(
          api.posts.map(({ at }) => at - start),
          [0, 11_000, 26_000, 61_000]
        )
        assert.strictEqual((yield* Metric.value(Metrics.alerts("failed"))).count, 1)
        assert.strictEqual((yield* Metric.value(Metrics.alerts("sent"))).count, 0)
        assert.include(lines.join("\n"), "alert.failed")
        assert.notInclude(lines.join("\n"), "s3cret")
      })
    )
  )

  it.effect("what will not do another time is asked once", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = () => refused
        api.hook = () => ({ status: 404 })
        yield* replica(api, "c-1", away)
        yield* add("e-1")
        yield* travel(60_000)
        assert.strictEqual(api.posts.length, 1)
      })
    )
  )

  it.effect("without a webhook nothing is made for anybody, and a start that goes well is no news", () =>
    world((api, away) =>
      Effect.gen(function* () {
        api.events = () => refused
        yield* replica(api, "c-1", away, { alerts: undefined })
        yield* add("e-1")
        yield* travel(60_000)
        assert.deepStrictEqual(api.posts, [])
      })
    )
  )

  it.effect("a client that dies fails an alert, and nothing else", () =>
    world((api) =>
      Effect.gen(function* () {
        api.events = () => refused
        const dying = Layer.effect(
          HttpClient.HttpClient,
          Effect.map(HttpClient.HttpClient, (client) =>
            HttpClient.make((request) =>
              request.url.startsWith("http://hook.test")
                ? Effect.die(new Error("hook s3cret"))
                : client.execute(request)
            )
          )
        ).pipe(Layer.provide(api.layer))
        const redis = yield* Redis
        const layer = JobCollector.layer({ apiBaseUrl: "http://api.test", alerts: { url: hook } }).pipe(
          Layer.provide([Layer.succeed(Redis, redis), dying, NativeSigner.layer(testPrivateKey), logged])
        )
        const context = yield* Layer.build(Layer.fresh(layer))
        yield* travel(100, 10)
        yield* add("e-1")
        yield* travel(Duration.toMillis("2 minutes"))
        assert.strictEqual((yield* Metric.value(Metrics.alerts("failed"))).count, 1)
        assert.strictEqual((yield* Context.get(context, JobCollector).health.live).live, true)
        assert.notInclude(lines.join("\n"), "s3cret")
      })
    )
  )
})
