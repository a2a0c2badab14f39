/** Redis did what it was asked, and its answer was lost with the connection. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import { JobCollector, type JobCollectorOptions } from "../../src/JobCollector.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { CollectorInspection, type LookAtRun } from "../../src/programs/inspection.ts"
import { rulesKey } from "../../src/services/EventStreams.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import * as Scripts from "../../src/services/Scripts.ts"
import { abandoned, addEvent, dlq, group, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, settle, success, testPrivateKey, travel } from "../support/time-machine.ts"

/** Loses the answer of the next command like this one that brings something. */
class Line {
  lose: ((command: string, args: ReadonlyArray<string>, reply: unknown) => boolean) | undefined
  lost = 0
  /** What the collector is at. */
  run: LookAtRun = () => undefined
  /** Breaks down in the next command like this one. */
  dies: ((command: string) => boolean) | undefined

  through(send: Redis["Service"]["send"]): Redis["Service"]["send"] {
    return <A>(command: string, ...args: ReadonlyArray<string>) =>
      Effect.suspend((): Effect.Effect<A, RedisError> => {
        if (this.dies?.(command) !== true) return this.mayLose(send<A>(command, ...args), command, args)
        this.dies = undefined
        return Effect.die(new Error("a mistake in the driver"))
      })
  }

  private mayLose<A>(answer: Effect.Effect<A, RedisError>, command: string, args: ReadonlyArray<string>) {
    return Effect.flatMap(answer, (reply): Effect.Effect<A, RedisError> => {
      if (reply === null || this.lose?.(command, args, reply) !== true) return Effect.succeed(reply)
      this.lose = undefined
      this.lost += 1
      return Effect.fail(new RedisError({ cause: new Error("Connection is closed.") }))
    })
  }
}

const withLine = <A, E>(
  api: ScriptedApi,
  test: (redis: Redis["Service"], line: Line) => Effect.Effect<A, E, JobCollector>,
  before: (redis: Redis["Service"]) => Effect.Effect<unknown, RedisError> = () => Effect.void,
  options: Partial<JobCollectorOptions> = {}
) =>
  Effect.gen(function* () {
    const engine = yield* Redis
    yield* before(engine)
    const line = new Line()
    const lossy = Layer.succeed(
      Redis,
      Redis.of({
        ...engine,
        send: line.through(engine.send),
        reserve: Effect.map(engine.reserve, (connection) => ({ ...connection, send: line.through(connection.send) }))
      })
    )
    const collector = JobCollector.layer({ apiBaseUrl: "http://api.test", ...options }).pipe(
      Layer.provide(Layer.mergeAll(lossy, api.layer, NativeSigner.layer(testPrivateKey))),
      Layer.provide(
        Layer.succeed(CollectorInspection, (look) => {
          line.run = look
        })
      )
    )
    return yield* Effect.andThen(settle, test(engine, line)).pipe(Effect.provide(collector), Effect.scoped)
  }).pipe(Effect.provide(MemoryRedis.layer))

const countOf = (metric: Metric.Metric<number, Metric.CounterState<number>>) =>
  Effect.map(Metric.value(metric), ({ count }) => count)

/** One answer was lost, and the one event was delivered once all the same. */
const deliveredOnce = (redis: Redis["Service"], line: Line, api: ScriptedApi) =>
  Effect.gen(function* () {
    assert.strictEqual(line.lost, 1)
    assert.deepStrictEqual(
      api.attempts.map(({ eventId }) => eventId),
      ["evt-1"]
    )
    assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
  })

const isMove = (to: string) => (command: string, args: ReadonlyArray<string>) =>
  command === "EVAL" && args[0] === Scripts.move.lua && args[3] === to

describe("a driver that breaks down in an acknowledgement", () => {
  it.effect("ends the work on one entry, which is taken up again, and holds up no other", () => {
    const api = new ScriptedApi()
    return withLine(api, (redis, line) =>
      Effect.gen(function* () {
        line.dies = (command) => command === "XACK"
        for (let n = 1; n <= 20; n++) yield* addEvent(redis, `evt-${n}`)
        yield* travel(10_000)
        assert.strictEqual(yield* pendingCount(redis, transcribe), 1)
        yield* travel(120_000)
        assert.strictEqual(yield* pendingCount(redis, transcribe), 0)
        assert.strictEqual(api.attempts.length, 21)
        assert.strictEqual(line.run()?.owned.size, 0)
      })
    )
  })
})

describe("an answer that is lost", () => {
  it.effect("of a read: the entries are found among the own pending ones, at once", () => {
    const api = new ScriptedApi()
    return withLine(api, (redis, line) =>
      Effect.gen(function* () {
        line.lose = (command) => command === "XREADGROUP"
        yield* addEvent(redis, "evt-1")
        yield* travel(3_000)
        yield* deliveredOnce(redis, line, api)
      })
    )
  })

  it.effect("of a read while others are looked for that were left: the entries are found all the same", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => (attempt === 1 ? { status: 500 } : success)
    return withLine(
      api,
      (redis, line) =>
        Effect.gen(function* () {
          const parked = storedRules([{ kind: "park", field: "user_id", value: "u1", at: 0, by: "me" }])
          yield* redis.send("SET", rulesKey(transcribe, group), parked)
          yield* travel(5_000)
          for (let n = 1; n <= 150; n++) yield* addEvent(redis, `evt-1.${n}`, { user_id: "u1" })
          yield* travel(30_000)
          // Its entries are looked for, and none has been found yet.
          const run = line.run()
          const stream = run?.consumedStreams.find(({ key }) => key === dlq)
          if (stream !== undefined) run?.left.begin(stream, 0, () => true)
          line.lose = (command, args) => command === "XREADGROUP" && args.includes(dlq)
          yield* addEvent(redis, "evt-2", { user_id: "u2" })
          yield* travel(30_000)
          assert.strictEqual(line.lost, 1)
          assert.deepStrictEqual(api.delivered, ["evt-2"])
        }),
      undefined,
      { dlqHold: 10, isolateBy: ["user_id"] }
    )
  })

  it.effect("of a take-over: the entries are found among the own pending ones, long before they are idle again", () => {
    const api = new ScriptedApi()
    const handedToOneThatIsGone = (redis: Redis["Service"]) =>
      Effect.gen(function* () {
        yield* redis.send("XGROUP", "CREATE", transcribe, group, "0", "MKSTREAM")
        yield* addEvent(redis, "evt-1")
        yield* redis.send("XREADGROUP", "GROUP", group, "gone", "STREAMS", transcribe, ">")
      })
    return withLine(
      api,
      (redis, line) =>
        Effect.gen(function* () {
          line.lose = (command, _args, reply) =>
            command === "XAUTOCLAIM" && Array.isArray(reply) && String(reply[1]) !== ""
          yield* travel(75_000)
          yield* deliveredOnce(redis, line, api)
        }),
      handedToOneThatIsGone
    )
  })

  it.effect("of a move to the abandoned stream: it is there once, and said and counted once", () => {
    const api = new ScriptedApi()
    api.answer = () => ({ status: 422 })
    return withLine(api, (redis, line) =>
      Effect.gen(function* () {
        const before = yield* Effect.all([countOf(Metrics.abandoned("rejected")), countOf(Metrics.ownershipLost)])
        line.lose = isMove(abandoned)
        yield* addEvent(redis, "evt-1")
        yield* travel(3_000)
        assert.strictEqual(line.lost, 1)
        assert.strictEqual(yield* lengthOf(redis, abandoned), 1)
        const after = yield* Effect.all([countOf(Metrics.abandoned("rejected")), countOf(Metrics.ownershipLost)])
        assert.deepStrictEqual(after, [before[0] + 1, before[1]])
      })
    )
  })

  it.effect("of a move to the DLQ, or of an acknowledgement: one chain of attempts, nothing left behind", () => {
    const api = new ScriptedApi()
    api.answer = ({ attempt }) => (attempt < 3 ? { status: 500 } : success)
    return withLine(api, (redis, line) =>
      Effect.gen(function* () {
        line.lose = isMove(dlq)
        yield* addEvent(redis, "evt-1")
        yield* travel(10_000)
        line.lose = (command, args) => command === "EVAL" && args[0] === Scripts.finish.lua
        yield* travel(20_000)
        assert.strictEqual(line.lost, 2)
        assert.deepStrictEqual(
          api.attempts.map(({ attempt }) => attempt),
          [1, 2, 3]
        )
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        assert.strictEqual((yield* pendingCount(redis, transcribe)) + (yield* pendingCount(redis, dlq)), 0)
      })
    )
  })
})
