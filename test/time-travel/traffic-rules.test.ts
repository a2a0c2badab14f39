/** Traffic rules: obeyed within two seconds, by every replica, after a restart, until they end (contract section 6). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Exit, Layer, Logger, Metric, Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { auditRecordOf } from "../../src/domain/audit/auditRecord.ts"
import { type Rule, type Subject, storedRules } from "../../src/domain/traffic/rules.ts"
import { JobCollector, type JobCollectorOptions } from "../../src/JobCollector.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { TrafficRules } from "../../src/programs/delivery/state/trafficRules.ts"
import { heldBack } from "../../src/programs/operator/heldBack.ts"
import {
  askProbe,
  currentRules,
  liftRule,
  type Setting,
  setRule,
  TooManyRules
} from "../../src/programs/traffic/controlTraffic.ts"
import { auditKey, EventStreams } from "../../src/services/EventStreams.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { patientClock } from "../support/patient-clock.ts"
import { abandoned, addEvent, dlq, group, pendingCount, processing, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel } from "../support/time-machine.ts"

const key = `{${transcribe}}:rules:${group}`
const who = { by: "anna" }
const pause = { kind: "pause" } as const
const limit: Setting = { kind: "limit", rate: { count: 200, perMs: 1_000 } }

/** What is logged, a line each, by the names of the messages. */
const listening = () => {
  const lines: Array<Readonly<Record<string, unknown>>> = []
  const layer = Logger.layer([
    Logger.map(Logger.formatStructured, ({ annotations, message }) => {
      lines.push({ message, ...annotations })
    })
  ])
  return { layer, of: (name: string) => lines.filter(({ message }) => message === name) }
}

const silent = Logger.layer([])

/** A replica, for as long as the scope lasts. */
const replica = (api: ScriptedApi, options: Partial<JobCollectorOptions> = {}, ambient = silent) =>
  Effect.gen(function* () {
    const layer = JobCollector.layer({ apiBaseUrl: "http://api.test", ...options, configSync: undefined }).pipe(
      Layer.provide([api.layer, NativeSigner.layer(testPrivateKey), ambient])
    )
    yield* Layer.build(Layer.fresh(layer))
    yield* travel(1)
  })

/** One that can be ended before the test is. */
const mortal = (...given: Parameters<typeof replica>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Scope.provide(replica(...given), scope)
    return Effect.andThen(Effect.forkChild(Scope.close(scope, Exit.void)), travel(1_000))
  })

const controlled = Effect.map(EventStreams, (streams) => ({ streams, stream: transcribe, group }))
const set = (setting: Setting, forMs?: number) =>
  Effect.flatMap(controlled, (of) =>
    setRule(of, setting, { ...who, duration: forMs === undefined ? undefined : Duration.millis(forMs) })
  )
const lift = (subject: Subject) => Effect.flatMap(controlled, (of) => liftRule(of, subject, who))
const current = Effect.flatMap(controlled, currentRules)

const add = (id: string) => Redis.use((redis) => addEvent(redis, id))
const send = (...[command, ...args]: readonly [string, ...ReadonlyArray<string>]) =>
  Redis.use((redis) => redis.send(command, ...args))

/** A world with one Redis, in which replicas come and go. */
const world = <A, E>(
  test: Effect.Effect<A, E, Redis | EventStreams | Scope.Scope>,
  redis: Layer.Layer<Redis> = MemoryRedis.layer
) =>
  test.pipe(
    Effect.scoped,
    Effect.provide(EventStreamsLayer.layer.pipe(Layer.provideMerge(redis))),
    Effect.provide(patientClock)
  )

const slow = { status: 200, body: { job_id: "1", credits_deducted: 58 }, delay: 5_000 }

describe("a pause", () => {
  it.effect("is obeyed within two seconds by each of three replicas, and what is in flight ends", () => {
    const apis = [new ScriptedApi(), new ScriptedApi(), new ScriptedApi()]
    return world(
      Effect.gen(function* () {
        for (const [i, api] of apis.entries()) {
          api.answer = () => slow
          yield* replica(api, { consumerName: `c-${i}`, deliveryConcurrency: 1 })
        }
        for (let i = 0; i < 12; i++) yield* add(`e-${i}`)
        yield* travel(500, 100)
        const made = () => apis.map((api) => [api.attempts.length, api.delivered.length])
        assert.deepStrictEqual(made(), [
          [1, 0],
          [1, 0],
          [1, 0]
        ])
        yield* set(pause)
        yield* travel(60_000)
        assert.deepStrictEqual(made(), [
          [1, 1],
          [1, 1],
          [1, 1]
        ])
        const lifted = yield* Clock.currentTimeMillis
        yield* lift(pause)
        yield* travel(2_000, 100)
        for (const api of apis) assert.isAtMost((api.attempts[1]?.at ?? Number.POSITIVE_INFINITY) - lifted, 2_000)
        yield* travel(30_000)
        const delivered = apis.flatMap((api) => api.delivered)
        assert.deepStrictEqual([delivered.length, new Set(delivered).size], [12, 12])
        assert.strictEqual(yield* Redis.use((redis) => pendingCount(redis, transcribe)), 0)
      })
    )
  })

  it.effect("holds what a read brings that was under way, and retries that come due", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => (attempt === 1 ? { status: 500 } : success)
    return world(
      Effect.gen(function* () {
        yield* replica(api)
        yield* add("before")
        yield* travel(1_000)
        yield* set(pause, 60_000)
        yield* travel(1_000)
        // The reader still waits for the first entry to come.
        yield* add("during")
        yield* travel(58_999, 500)
        assert.deepStrictEqual(api.instants("during"), [])
        assert.lengthOf(api.instants("before"), 1)
        yield* travel(2, 1)
        assert.deepStrictEqual(
          api.attempts
            .map(({ at, eventId }) => [eventId, at])
            .slice(1)
            .sort(),
          [
            ["before", 61_001],
            ["during", 61_001]
          ]
        )
      })
    )
  })

  it.effect("ends by itself at its instant on a replica for which Redis is away by then", () => {
    const api = new ScriptedApi()
    let away = false
    const refusing = Layer.effect(
      Redis,
      Effect.map(Redis, (redis) => ({
        ...redis,
        send: <A>(command: string, ...args: ReadonlyArray<string>) =>
          away && command === "GET"
            ? Effect.fail(new RedisError({ cause: new Error("connect ECONNREFUSED") }))
            : redis.send<A>(command, ...args)
      }))
    ).pipe(Layer.provide(MemoryRedis.layer))
    return world(
      Effect.gen(function* () {
        yield* replica(api)
        yield* set(pause, 10_000)
        yield* travel(1_000)
        away = true
        yield* add("e")
        yield* travel(8_990, 10)
        assert.deepStrictEqual(api.attempts, [])
        yield* travel(20, 1)
        assert.deepStrictEqual(api.instants("e"), [10_001])
      }),
      refusing
    )
  })

  it.effect("outlives restarts: a replica that starts reads the rules before the first event", () => {
    const api = new ScriptedApi()
    return world(
      Effect.gen(function* () {
        yield* set(pause)
        yield* send("XGROUP", "CREATE", transcribe, group, "0", "MKSTREAM")
        yield* add("e")
        const end = yield* mortal(api)
        yield* travel(30_000)
        yield* end
        const again = yield* mortal(api)
        yield* travel(30_000)
        assert.deepStrictEqual(api.attempts, [])
        yield* lift(pause)
        yield* travel(2_000)
        assert.deepStrictEqual(api.delivered, ["e"])
        yield* again
      })
    )
  })

  it.effect("lets no probe of an open circuit through either", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 503 })
    return world(
      Effect.gen(function* () {
        yield* replica(api)
        for (let i = 0; i < 12; i++) yield* add(`e-${i}`)
        yield* travel(1_000)
        yield* set(pause, 300_000)
        yield* travel(1_000)
        const before = api.attempts.length
        yield* travel(298_000)
        assert.strictEqual(api.attempts.length, before)
        yield* travel(2_000)
        assert.isAbove(api.attempts.length, before)
      })
    )
  })

  it.effect("is not shifted by a wall clock that is set", () => {
    const rules = new TrafficRules()
    const rule: Rule = { kind: "pause", at: 0, by: "anna", until: 10_000 }
    rules.update([rule], 0, 500)
    assert.strictEqual(rules.pauseEnds, 10_500)
    rules.update([rule], 3_600_000, 1_500)
    assert.strictEqual(rules.pauseEnds, 10_500)
    rules.update([rule], -3_600_000, 10_500)
    assert.deepStrictEqual(rules.active(10_500), [])
    // Still in the key, and long before its end by the wall clock: it has ended all the same.
    rules.update([rule], -3_600_000, 11_500)
    assert.deepStrictEqual(rules.active(11_500), [])
    return Effect.void
  })
})

describe("the rules' state", () => {
  it("answers for each kind what is in force at a time", () => {
    const rules = new TrafficRules()
    const limit = (count: number, until?: number): Rule => ({
      kind: "limit",
      rate: { count, perMs: 1_000 },
      at: 0,
      by: "anna",
      ...(until === undefined ? {} : { until })
    })
    const park: Rule = { kind: "park", field: "user_id", value: "u-1", at: 0, by: "anna", until: 2_000 }
    assert.isFalse(rules.parksAny)
    assert.isUndefined(rules.nextEnd)
    const { set } = rules.update([limit(5), limit(9, 1_000), park], 0, 0)
    assert.deepStrictEqual(
      set.map(({ rule }) => rule),
      [limit(5), limit(9, 1_000), park]
    )
    assert.deepStrictEqual(rules.limit(999), { count: 9, perMs: 1_000 })
    assert.deepStrictEqual(rules.limit(1_000), { count: 5, perMs: 1_000 })
    assert.isTrue(rules.parksAny)
    assert.strictEqual(rules.parked("user_id", "u-1", 1_999)?.rule, park)
    for (const [field, value, now] of [
      ["user_id", "u-1", 2_000],
      ["user_id", "u-2", 0],
      ["model", "u-1", 0]
    ] as const) {
      assert.isUndefined(rules.parked(field, value, now))
    }
    assert.strictEqual(rules.nextEnd, 1_000)
    assert.deepStrictEqual([rules.count("limit"), rules.count("park"), rules.count("pause")], [2, 1, 0])
    const { ended } = rules.update([limit(5)], 1_500, 1_500)
    assert.deepStrictEqual(
      ended.map(({ rule }) => rule),
      [limit(9, 1_000), park]
    )
    assert.isFalse(rules.parksAny)
    assert.deepStrictEqual([rules.count("limit"), rules.count("park")], [1, 0])
  })
})

describe("what stands in the rules' key", () => {
  it.effect("is said once where it is garbage or of another type, and the last good rules hold", () => {
    const api = new ScriptedApi()
    const logs = listening()
    return world(
      Effect.gen(function* () {
        yield* replica(api, {}, logs.layer)
        yield* set(pause)
        yield* travel(2_000)
        yield* send("SET", key, `{"rules":[{"kind":"stop"}]} ${"x".repeat(10_000)}`)
        yield* add("e")
        yield* travel(60_000)
        assert.lengthOf(logs.of("rules.unreadable"), 1)
        assert.isAtMost(String(logs.of("rules.unreadable")[0]?.problem).length, 300)
        yield* send("DEL", key)
        yield* send("SADD", key, "x")
        yield* travel(60_000)
        assert.lengthOf(logs.of("rules.unreadable"), 2)
        assert.deepStrictEqual(api.attempts, [])
        yield* send("DEL", key)
        yield* travel(2_000)
        assert.deepStrictEqual(api.delivered, ["e"])
        assert.deepStrictEqual(
          logs.of("rule.ended").map(({ ended, rule }) => [rule, ended]),
          [["pause", "lifted"]]
        )
      })
    )
  })

  it.effect("keeps no replica from starting, whatever it is", () => {
    const apis = [new ScriptedApi(), new ScriptedApi()]
    return world(
      Effect.gen(function* () {
        for (const [i, api] of apis.entries()) {
          yield* send("DEL", key)
          yield* i === 0 ? send("SET", key, "garbage") : send("SADD", key, "x")
          const end = yield* mortal(api, { consumerName: `c-${i}` })
          yield* add(`e-${i}`)
          yield* travel(1_000)
          assert.deepStrictEqual(api.delivered, [`e-${i}`])
          yield* end
        }
      })
    )
  })

  it.effect("is replaced where it is garbage by the rule that is set, which says so", () =>
    world(
      Effect.gen(function* () {
        yield* send("SET", key, "garbage")
        const { replaced, rules } = yield* set(pause)
        assert.isString(replaced)
        assert.deepStrictEqual(yield* current, { rules, unreadable: undefined })
        assert.lengthOf(rules, 1)
      })
    )
  )

  it.effect("keeps the rules of two operators who set them at once", () =>
    world(
      Effect.gen(function* () {
        const park = (value: number) => set({ kind: "park", field: "user_id", value: `u-${value}` })
        yield* Effect.all([park(1), park(2), set(pause), park(3), set(limit), lift(pause)], {
          concurrency: "unbounded"
        })
        const { rules } = yield* current
        assert.deepStrictEqual(
          rules
            .filter((rule) => rule.kind === "park")
            .map(({ value }) => value)
            .sort(),
          ["u-1", "u-2", "u-3"]
        )
        assert.lengthOf(
          rules.filter((rule) => rule.kind === "limit"),
          1
        )
      })
    )
  )

  it.effect("forgets rules that have ended at the next change, and takes no more than a thousand", () =>
    world(
      Effect.gen(function* () {
        yield* set(pause, 1_000)
        yield* travel(1_000)
        yield* set({ kind: "park", field: "user_id", value: "u" })
        assert.lengthOf((yield* current).rules, 1)
        assert.notInclude(String(yield* send("GET", key)), "pause")
        const many = Array.from(
          { length: 1_000 },
          (_, i): Rule => ({ kind: "park", field: "model", value: `m${i}`, at: 0, by: "x" })
        )
        yield* send("SET", key, storedRules(many))
        assert.instanceOf(yield* Effect.flip(set(pause)), TooManyRules)
        assert.lengthOf((yield* current).rules, 1_000)
        yield* set({ kind: "park", field: "model", value: "m5" })
      })
    )
  )
})

describe("a rule in force", () => {
  it.effect("is in health at once, with its end, in the metrics and in one log line of each replica", () => {
    const api = new ScriptedApi()
    const logs = listening()
    return world(
      Effect.gen(function* () {
        const registry = new Map()
        const watched = Effect.provideService(Metric.MetricRegistry, registry)
        const context = yield* Layer.build(
          JobCollector.layer({ apiBaseUrl: "http://api.test", healthInterval: Duration.hours(1) }).pipe(
            Layer.provide([api.layer, NativeSigner.layer(testPrivateKey), logs.layer])
          )
        ).pipe(watched)
        const { health } = Context.get(context, JobCollector)
        const kinds = Effect.map(watched(PrometheusMetrics.format()), (text) =>
          text.split("\n").filter((line) => line.startsWith("job_collector_rules{"))
        )
        const traffic = Effect.map(health.report, ({ checks }) => checks.traffic)
        yield* travel(1_000)
        assert.deepStrictEqual(yield* traffic, {
          status: "ok",
          problem: undefined,
          in_force: 0,
          paused_kinds: undefined,
          rules: []
        })
        yield* set({ kind: "park", field: "user_id", value: "u-1" })
        yield* travel(1_000)
        yield* set(pause, 60_000)
        yield* travel(1_000)
        assert.deepStrictEqual(yield* traffic, {
          status: "degraded",
          problem: "park user_id=u-1 until it is lifted, and 1 more: see job-collector rules",
          in_force: 2,
          paused_kinds: undefined,
          rules: [
            { rule: "park user_id=u-1", until: undefined, by: "anna", why: undefined },
            { rule: "pause", until: "1970-01-01T00:01:02.000Z", by: "anna", why: undefined }
          ]
        })
        assert.strictEqual((yield* health.report).status, "degraded")
        assert.isTrue((yield* health.ready).ready)
        assert.deepStrictEqual((yield* kinds).toSorted(), [
          'job_collector_rules{kind="limit"} 0',
          'job_collector_rules{kind="park"} 1',
          'job_collector_rules{kind="pause"} 1'
        ])
        yield* travel(60_000)
        yield* lift({ kind: "park", field: "user_id", value: "u-1" })
        yield* travel(1_000)
        assert.strictEqual((yield* traffic).status, "ok")
        assert.isTrue((yield* kinds).every((line) => line.endsWith(" 0")))
        const told = (name: string) => logs.of(name).map(({ ended, rule }) => [rule, ended])
        assert.deepStrictEqual(told("rule.set"), [
          ["park user_id=u-1", undefined],
          ["pause", undefined]
        ])
        assert.deepStrictEqual(told("rule.ended"), [
          ["pause", "expired"],
          ["park user_id=u-1", "lifted"]
        ])
        assert.deepStrictEqual(
          logs.of("health.changed").map(({ checks, status }) => [status, checks]),
          [
            ["ok", undefined],
            ["degraded", "traffic=degraded"],
            ["ok", undefined]
          ]
        )
      })
    )
  })
})

describe("the audit", () => {
  it.effect("has each rule that was set or lifted, and nothing where nothing was", () =>
    world(
      Effect.gen(function* () {
        yield* lift(pause)
        yield* set(pause, 60_000)
        yield* travel(1_000)
        yield* set(limit)
        yield* set({ kind: "park", field: "user_id", value: "u-1" })
        yield* lift({ kind: "park", field: "user_id", value: "u-1" })
        yield* lift({ kind: "limit" })
        yield* lift(pause)
        const streams = yield* EventStreams
        const entries = yield* streams.range(`{${transcribe}}:audit`, "-", "+", 100)
        assert.deepStrictEqual(
          entries.map(({ fields }) => auditRecordOf(fields)),
          [
            { at: 0, who: "anna", action: "pause" },
            { at: 1_000, who: "anna", action: "limit", target: "200 per second" },
            { at: 1_000, who: "anna", action: "park", target: "user_id=u-1" },
            { at: 1_000, who: "anna", action: "unpark", target: "user_id=u-1" },
            { at: 1_000, who: "anna", action: "limit", target: "off" },
            { at: 1_000, who: "anna", action: "resume" }
          ]
        )
      })
    )
  )

  it.effect("that cannot be written keeps no rule from being set, and that is told", () =>
    world(
      Effect.gen(function* () {
        yield* send("SET", `{${transcribe}}:audit`, "another program's")
        const { unaudited } = yield* set(pause)
        assert.strictEqual(unaudited?.reason._tag, "WrongType")
        assert.lengthOf((yield* current).rules, 1)
      })
    )
  )
})

describe("a probe that is asked for", () => {
  it.effect("goes out within a second, of the API and of a partition, and the next as late as after any other", () => {
    const apis = { out: new ScriptedApi(), user: new ScriptedApi() }
    apis.out.answer = () => ({ status: 503 })
    apis.user.answer = ({ eventId }) => (eventId.startsWith("bad") ? { status: 503 } : success)
    const asked = Effect.flatMap(controlled, (of) => askProbe(of, { ...who, why: "the API is back" }))
    /** When was probed, in seconds since the circuit opened. */
    const probesOf = (api: ScriptedApi) => {
      const failed = api.attempts.filter(({ eventId }) => !eventId.startsWith("good"))
      return failed.slice(10).map(({ at }) => (at - (failed[9]?.at ?? 0)) / 1_000)
    }
    const test = (api: ScriptedApi, isOfUser: boolean) =>
      world(
        Effect.gen(function* () {
          const log = listening()
          yield* replica(api, {}, log.layer)
          // Asked before anything is open: it opens nothing, and is remembered by nobody.
          yield* asked
          yield* travel(1_000)
          if (isOfUser) yield* add("good-0")
          yield* travel(1_000)
          for (let i = 0; i < 20; i++)
            yield* Redis.use((redis) => addEvent(redis, `bad-${i}`, isOfUser ? { user_id: "u-bad" } : {}))
          yield* travel(17_000, 500)
          assert.deepStrictEqual(probesOf(api), [5, 15])
          yield* set({ kind: "limit", rate: { count: 1_000, perMs: 1_000 } })
          yield* asked
          yield* travel(1_000, 500)
          const [, , third = 0, ...more] = probesOf(api)
          assert.isTrue(third > 16 && third <= 18, String(third))
          assert.deepStrictEqual(more, [])
          // A rule that is set meanwhile asks for none.
          yield* lift({ kind: "limit" })
          yield* travel(65_000, 500)
          assert.deepStrictEqual(
            probesOf(api)
              .slice(3)
              .map((at) => at - third),
            [40]
          )
          assert.lengthOf(log.of("probe.asked"), 1)
          const { streams } = yield* controlled
          const acts = (yield* streams.latest(auditKey(transcribe), 10)).map(({ fields }) => auditRecordOf(fields))
          assert.deepStrictEqual(
            acts.filter((act) => act?.action === "probe").map((act) => [act?.who, act?.why]),
            [
              ["anna", "the API is back"],
              ["anna", "the API is back"]
            ]
          )
        })
      )
    return Effect.andThen(test(apis.out, false), test(apis.user, true))
  })

  it.effect("outlives what others change, and a pause holds it", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 503 })
    return world(
      Effect.gen(function* () {
        yield* replica(api)
        for (let i = 0; i < 20; i++) yield* add(`e-${i}`)
        yield* travel(2_000)
        yield* set(pause)
        yield* travel(2_000)
        yield* Effect.flatMap(controlled, (of) => askProbe(of, who))
        yield* set(limit)
        const before = api.attempts.length
        yield* travel(30_000)
        assert.strictEqual(api.attempts.length, before)
        const stored = JSON.parse(String(yield* send("GET", key)))
        assert.isNumber(stored.probe_at)
        assert.deepStrictEqual(
          stored.rules.map(({ kind }: Rule) => kind),
          ["pause", "limit"]
        )
        yield* lift(pause)
        yield* travel(2_000)
        assert.strictEqual(api.attempts.length, before + 1)
      })
    )
  })
})

describe("what rules hold back", () => {
  it.effect(
    "is told: all that waits by a pause, and of a parked user what waits in the replicas and in the DLQ",
    () => {
      const api = new ScriptedApi()
      return world(
        Effect.gen(function* () {
          yield* set({ kind: "park", field: "user_id", value: "u-1" })
          yield* replica(api, { dlqHold: 5 })
          for (let i = 0; i < 12; i++) yield* Redis.use((redis) => addEvent(redis, `e-${i}`, { user_id: "u-1" }))
          // Set aside beyond what is held, and the held ones told of by the replica.
          yield* travel(10_000)
          assert.deepStrictEqual(api.attempts, [])
          yield* set(pause)
          const glanced = Effect.map(controlled, (observed) => ({
            observed,
            sets: [{ transcribe, process: processing, dlq, abandoned }]
          }))
          const holds = (most: number) =>
            Effect.gen(function* () {
              const { rules } = yield* current
              const { looked, rules: held } = yield* heldBack(yield* glanced, rules, most)
              return [looked, ...held.map(({ count, isMore, rule }) => [rule.kind, count, isMore])]
            })
          assert.deepStrictEqual(yield* holds(1_000), [7, ["park", 12, false], ["pause", 12, false]])
          yield* lift({ kind: "park", field: "user_id", value: "u-1" })
          assert.deepStrictEqual(yield* holds(1_000), [0, ["pause", 12, false]])
        })
      )
    }
  )
})
