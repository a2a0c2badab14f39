/** Replicas tell of themselves in Redis: their figures, and what they counted (contract section 8, Replicas). */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Layer, Logger, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import { JobCollector, type JobCollectorOptions } from "../../src/JobCollector.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { checkReplicas } from "../../src/programs/operator/checkReplicas.ts"
import { minutes, replicas } from "../../src/programs/operator/replicas.ts"
import { EventStreams, replicaKey, rulesKey } from "../../src/services/EventStreams.ts"
import { HostFigures } from "../../src/services/HostFigures.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { scriptName } from "../../src/services/Scripts.ts"
import { patientClock } from "../support/patient-clock.ts"
import { addEvent, group, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, testPrivateKey, travel } from "../support/time-machine.ts"

const silent = Logger.layer([])

/** A replica for as long as the scope lasts. */
const replica = (
  api: ScriptedApi,
  consumerName: string,
  { options = {}, ambient = silent }: { options?: Partial<JobCollectorOptions>; ambient?: Layer.Layer<never> } = {}
) =>
  Effect.gen(function* () {
    const layer = JobCollector.layer({
      apiBaseUrl: "http://api.test",
      consumerName,
      ...options,
      configSync: undefined
    }).pipe(Layer.provide([api.layer, NativeSigner.layer(testPrivateKey), ambient]))
    const context = yield* Layer.build(Layer.fresh(layer))
    yield* travel(1)
    return Context.get(context, JobCollector)
  })

const observed = Effect.map(EventStreams, (streams) => ({ streams, stream: transcribe, group }))
const seen = Effect.map(Effect.flatMap(observed, replicas), (found) => found.replicas)
const names = Effect.map(seen, (all) => all.map(({ consumer }) => consumer))
const counts = Effect.gen(function* () {
  const found = yield* minutes(yield* observed, 0)
  return found.map(({ at, streams }) => [at / 60_000, Object.fromEntries(streams)] as const)
})
const add = (id: string, fields = {}) => Redis.use((redis) => addEvent(redis, id, fields))

const world = <A, E>(
  test: Effect.Effect<A, E, Redis | EventStreams | Scope.Scope>,
  redis: Layer.Layer<Redis> = MemoryRedis.layer
) =>
  test.pipe(
    Effect.scoped,
    Effect.provide(EventStreamsLayer.layer.pipe(Layer.provideMerge(redis))),
    Effect.provide(patientClock),
    // Other tests of this process have a configuration's version in theirs.
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

/** The memory engine, whose reports come to what a test says. */
const reporting = (answer: () => "done" | "refused" | "hangs") =>
  Layer.effect(
    Redis,
    Effect.map(Redis, (redis) =>
      Redis.of({
        ...redis,
        send: (name, ...args) => {
          if (name !== "EVAL" || scriptName(args[0] ?? "") !== "report") return redis.send(name, ...args)
          switch (answer()) {
            case "done":
              return redis.send(name, ...args)
            case "refused":
              return Effect.fail(new RedisError({ cause: new Error("NOPERM no permissions") }))
            case "hangs":
              return Effect.never
          }
        }
      })
    )
  ).pipe(Layer.provide(MemoryRedis.layer))

const quick = { ...success, delay: 200 }

describe("replicas", () => {
  it.effect("tell who they are and how they do every five seconds; a stopped one is gone at once", () => {
    const api = new ScriptedApi()
    api.answer = () => quick
    const host = { name: "host-1", cpu: 0 }
    return world(
      Effect.gen(function* () {
        const figures = Layer.succeed(HostFigures, {
          name: host.name,
          cpuSeconds: () => host.cpu,
          memoryBytes: () => 64_000_000
        })
        const first = yield* replica(api, "c-1", { ambient: Layer.mergeAll(silent, figures) })
        yield* replica(api, "c-2", { options: { deliveryConcurrency: 8 } })
        assert.deepStrictEqual(yield* names, ["c-1", "c-2"])
        for (let i = 0; i < 30; i++) {
          yield* add(`e-${i}`)
          host.cpu += 0.25
          yield* travel(500, 100)
        }
        const [one, two] = yield* seen
        assert.deepStrictEqual(
          [one?.host, one?.memory_bytes, one?.permits, two?.host, two?.memory_bytes, two?.permits],
          ["host-1", 64_000_000, 64, null, null, 8]
        )
        assert.deepStrictEqual([one?.status, one?.problems, one?.circuit], ["ok", [], "closed"])
        assert.match(`${one?.version} ${one?.key_id}`, /^\d+\.\d+\.\d+\S* [0-9a-f]{16}$/)
        assert.closeTo(one?.cpu ?? 0, 0.5, 0.1)
        // Two events a second, by both.
        assert.closeTo((one?.rate ?? 0) + (two?.rate ?? 0), 2, 0.3)
        assert.closeTo(one?.api_p95_ms ?? two?.api_p95_ms ?? 0, 200, 16)
        assert.isAtMost((yield* Clock.currentTimeMillis) - (one?.at ?? 0), 5_000)
        yield* Effect.forkChild(first.stop)
        yield* travel(1_000)
        assert.deepStrictEqual(yield* names, ["c-2"])
      })
    )
  })

  it.effect("one that was killed is missed after 15 seconds", () =>
    world(
      Effect.gen(function* () {
        const streams = yield* EventStreams
        yield* replica(new ScriptedApi(), "c-1")
        yield* streams.report(
          transcribe,
          { group, name: "c-2" },
          { figures: JSON.stringify({ ...(yield* seen)[0], consumer: "c-2" }), ttlMs: 15_000, hour: "h", counts: [] }
        )
        yield* travel(14_900, 100)
        assert.deepStrictEqual(yield* names, ["c-1", "c-2"])
        yield* travel(200, 100)
        assert.deepStrictEqual(yield* names, ["c-1"])
        const key = replicaKey(transcribe, { group, name: "c-1" })
        const left = Number(yield* Redis.use((redis) => redis.send("PTTL", key)))
        assert.isTrue(left > 9_000 && left <= 15_000, `${left}`)
      })
    )
  )

  it.effect("tell that the circuit is open and when it is probed next, and what is wrong", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 503 })
    return world(
      Effect.gen(function* () {
        yield* replica(api, "c-1")
        for (let i = 0; i < 12; i++) yield* add(`e-${i}`)
        yield* travel(7_000)
        const [one] = yield* seen
        assert.deepStrictEqual([one?.circuit, one?.status], ["open", "degraded"])
        assert.include(one?.problems.join(), "the circuit is open")
        assert.isAbove(one?.next_probe_at ?? 0, 5_000)
      })
    )
  })

  it.effect("one whose figures are not understood is counted, and hides nobody", () =>
    world(
      Effect.gen(function* () {
        const streams = yield* EventStreams
        yield* replica(new ScriptedApi(), "c-1")
        yield* streams.report(
          transcribe,
          { group, name: "c-0" },
          { figures: '{"version":"9"}', ttlMs: 15_000, hour: "h", counts: [] }
        )
        const found = yield* replicas(yield* observed)
        assert.deepStrictEqual([found.replicas.map(({ consumer }) => consumer), found.unreadable], [["c-1"], 1])
      })
    )
  )
})

describe("check", () => {
  it.effect("names the replicas that run, and warns where versions, keys and configurations differ", () =>
    world(
      Effect.gen(function* () {
        const check = Effect.map(Effect.flatMap(observed, checkReplicas), (findings) =>
          findings.map(({ check: name, found, warning }) => `${warning ? "⚠" : "✓"} ${name}: ${found}`)
        )
        assert.deepStrictEqual(yield* check, ["✓ replicas: none runs"])
        const streams = yield* EventStreams
        yield* replica(new ScriptedApi(), "c-1")
        const [one] = yield* seen
        const version = one?.version
        assert.deepStrictEqual(yield* check, [`✓ replicas: 1 running: c-1 (${version})`])
        const other = {
          ...one,
          consumer: "c-2",
          host: "host-2",
          version: "0.0.9",
          key_id: "b".repeat(16),
          config_version: 7
        }
        for (const [name, figures] of [
          ["c-2", JSON.stringify(other)],
          ["c-3", "{}"]
        ] as const) {
          yield* streams.report(transcribe, { group, name }, { figures, ttlMs: 15_000, hour: "h", counts: [] })
        }
        assert.deepStrictEqual(yield* check, [
          `✓ replicas: 2 running: c-1 (${version}), c-2 (0.0.9 on host-2)`,
          "⚠ replicas: 1 more tell of themselves in another way",
          `⚠ replicas' versions: ${version} (c-1); 0.0.9 (c-2)`,
          `⚠ replicas' keys: ${one?.key_id} (c-1); bbbbbbbbbbbbbbbb (c-2)`,
          "⚠ replicas' configurations: 0 (c-1); 7 (c-2)"
        ])
      })
    )
  )
})

describe("minutes", () => {
  it.effect("hold what all replicas received, delivered, retried and abandoned, by stream, for a day", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt, eventId }) => (eventId === "late" && attempt === 1 ? { status: 500 } : success)
    return world(
      Effect.gen(function* () {
        const one = yield* replica(api, "c-1")
        const two = yield* replica(api, "c-2")
        for (let i = 0; i < 5; i++) yield* add(`e-${i}`)
        yield* add("late")
        yield* add("bad", { audio_seconds: "-1" })
        yield* travel(30_000)
        const none = { received: 0, delivered: 0, retried: 0, abandoned: 0, set_aside: 0 }
        const first = {
          transcribe: { ...none, received: 7, delivered: 5, retried: 1, abandoned: 1 },
          dlq: { ...none, received: 1, delivered: 1 }
        }
        assert.deepStrictEqual(yield* counts, [[0, first]])
        yield* travel(60_000)
        yield* add("next")
        yield* travel(10_000)
        const then = { transcribe: { ...none, received: 1, delivered: 1 } }
        assert.deepStrictEqual(yield* counts, [
          [0, first],
          [1, then]
        ])
        yield* Effect.forkChild(Effect.andThen(one.stop, two.stop))
        yield* travel(1_000)
        yield* TestClock.adjust(86_400_000 - 31_000)
        assert.deepStrictEqual(yield* counts, [[1, then]])
      })
    )
  })

  it.effect("hold what was set aside", () =>
    world(
      Effect.gen(function* () {
        const park = { kind: "park", field: "user_id", value: "u-1", at: 0, by: "me" } as const
        yield* Redis.use((redis) => redis.send("SET", rulesKey(transcribe, group), storedRules([park])))
        yield* replica(new ScriptedApi(), "c-1", { options: { dlqHold: 2 } })
        for (let i = 0; i < 5; i++) yield* add(`e-${i}`, { user_id: "u-1" })
        yield* travel(10_000)
        const [first] = yield* counts
        assert.deepInclude(first?.[1].transcribe, { received: 5, delivered: 0, set_aside: 3 })
      })
    )
  )

  it.effect("a stop tells what was counted since the last report", () =>
    world(
      Effect.gen(function* () {
        const collector = yield* replica(new ScriptedApi(), "c-1")
        yield* travel(1_000)
        yield* add("e-1")
        yield* travel(1_000)
        assert.deepStrictEqual(yield* counts, [])
        yield* Effect.forkChild(collector.stop)
        yield* travel(1_000)
        assert.strictEqual((yield* counts)[0]?.[1].transcribe?.delivered, 1)
      })
    )
  )
})

describe("a report that fails", () => {
  it.effect("refused, it touches no delivery, and what was counted is told when it can be", () => {
    const api = new ScriptedApi()
    let answer: "done" | "refused" = "refused"
    return world(
      Effect.gen(function* () {
        yield* replica(api, "c-1")
        for (let i = 0; i < 10; i++) yield* add(`e-${i}`)
        yield* travel(20_000)
        assert.strictEqual(api.delivered.length, 10)
        assert.deepStrictEqual([yield* names, yield* counts], [[], []])
        answer = "done"
        yield* travel(5_000)
        assert.strictEqual((yield* counts)[0]?.[1].transcribe?.delivered, 10)
      }),
      reporting(() => answer)
    )
  })

  it.effect("hanging, it touches no delivery and holds up a stop for three seconds at most", () => {
    const api = new ScriptedApi()
    return world(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* Scope.provide(replica(api, "c-1"), scope)
        for (let i = 0; i < 10; i++) yield* add(`e-${i}`)
        yield* travel(5_000)
        assert.strictEqual(api.delivered.length, 10)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* travel(3_100, 100)
        assert.isDefined(closing.pollUnsafe())
      }),
      reporting(() => "hangs")
    )
  })
})
