/**
 * Nothing ends in silence: at every step from start to stop, what the collector is given breaks down, by a defect or by an
 * interruption that nobody asked for. Either the collector goes on as before, having said so, or it ends for all to see.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { HttpClient } from "effect/http"
import { JobCollector } from "../../src/JobCollector.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis, RedisError } from "../../src/services/Redis.ts"
import { scriptName } from "../../src/services/Scripts.ts"
import { Signer } from "../../src/services/Signer.ts"
import { patientClock } from "../support/patient-clock.ts"
import { abandoned, addEvent, dlq, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, settle, success, testPrivateKey, travel } from "../support/time-machine.ts"

const breakdowns = {
  defect: Effect.die(new Error("a mistake in what was given")),
  interruption: Effect.interrupt
} as const

type Breakdown = keyof typeof breakdowns

/** Everything that a collector asks of what it is given, from its start to its stop. */
const steps = [
  "PING",
  "INFO",
  "EVAL permissions",
  "XINFO GROUPS",
  "XINFO STREAM",
  "XINFO CONSUMERS",
  "GET",
  "SET",
  "EVAL lease",
  "XGROUP",
  "reserve",
  "XPENDING",
  "XREADGROUP",
  "XAUTOCLAIM",
  "XACK",
  "EVAL finish",
  "EVAL move",
  "EVAL renew",
  "EVAL take",
  "EVAL release",
  "EVAL unlease",
  "EVAL report",
  "POST",
  "GET configurations",
  "sign",
  "verify"
]

const stepOf = (command: string, args: ReadonlyArray<string>): string =>
  command === "EVAL" ? `EVAL ${scriptName(args[0] ?? "") ?? "?"}` : command === "XINFO" ? `XINFO ${args[0]}` : command

/** What a collector is given, and what of it breaks down. */
class Given {
  /** How often each step was asked for. */
  readonly asked = new Map<string, number>()
  breaks: (step: string, nth: number) => Breakdown | undefined = () => undefined
  broken = 0

  private through<A, E, R>(step: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend((): Effect.Effect<A, E, R> => {
      const nth = (this.asked.get(step) ?? 0) + 1
      this.asked.set(step, nth)
      const breakdown = this.breaks(step, nth)
      if (breakdown === undefined) return effect
      this.broken += 1
      return breakdowns[breakdown]
    })
  }

  private readonly sending =
    (send: Redis["Service"]["send"]): Redis["Service"]["send"] =>
    (command, ...args) =>
      this.through(stepOf(command, args), send(command, ...args))

  redis(engine: Redis["Service"]): Redis["Service"] {
    return {
      ...engine,
      send: this.sending(engine.send),
      reserve: this.through(
        "reserve",
        Effect.map(engine.reserve, (own) => ({ ...own, send: this.sending(own.send) }))
      )
    }
  }

  http(client: HttpClient.HttpClient): HttpClient.HttpClient {
    return HttpClient.make((request) =>
      this.through(request.method === "GET" ? "GET configurations" : request.method, client.execute(request))
    )
  }

  signer(signer: Signer["Service"]): Signer["Service"] {
    return {
      ...signer,
      sign: (message) => this.through("sign", signer.sign(message)),
      verify: (message, signature) => this.through("verify", signer.verify(message, signature))
    }
  }
}

interface Scene {
  readonly engine: Redis["Service"]
  readonly api: ScriptedApi
  readonly given: Given
  readonly collector: JobCollector["Service"]
  /** The log lines of level warning and above, by name. */
  readonly lines: ReadonlyArray<string>
  readonly close: Effect.Effect<void>
}

/** An API for which evt-2 fails twice, evt-3 is never right, and evt-5 always fails. */
const usualApi = () => {
  const api = new ScriptedApi()
  api.answer = ({ attempt, eventId }) =>
    eventId === "evt-5" || (eventId === "evt-2" && attempt < 3)
      ? { status: 500, delay: 20 }
      : eventId === "evt-3"
        ? { status: 422, delay: 20 }
        : { ...success, delay: 20 }
  return api
}

const withScene = <A, E>(test: (scene: Scene) => Effect.Effect<A, E>, given = new Given()) =>
  Effect.gen(function* () {
    const engine = yield* Redis
    const api = usualApi()
    const lines: Array<string> = []
    const listen = Logger.map(Logger.formatStructured, ({ level, message }) => {
      if (["WARN", "ERROR"].includes(level)) lines.push(String(message))
    })
    const layer = JobCollector.layer({ apiBaseUrl: "http://api.test", groupStartId: "0" }).pipe(
      Layer.provide(
        Layer.mergeAll(
          Layer.succeed(Redis, given.redis(engine)),
          Layer.effect(
            HttpClient.HttpClient,
            Effect.map(HttpClient.HttpClient, (client) => given.http(client))
          ).pipe(Layer.provide(api.layer)),
          Layer.effect(
            Signer,
            Effect.map(Signer, (signer) => given.signer(signer))
          ).pipe(Layer.provide(NativeSigner.layer(testPrivateKey)))
        )
      ),
      Layer.provideMerge(Logger.layer([listen]))
    )
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer, scope)
    const close = Effect.andThen(Effect.forkChild(Scope.close(scope, Exit.void)), travel(10_000))
    const scene: Scene = { engine, api, given, collector: Context.get(context, JobCollector), lines, close }
    return yield* test(scene)
  }).pipe(Effect.provide(MemoryRedis.layer), Effect.scoped, Effect.provide(patientClock))

/** Events of every kind go their way, one of them after a claim's time. */
const live = ({ engine }: Scene) =>
  Effect.gen(function* () {
    yield* travel(3_000, 500)
    for (const id of ["evt-1", "evt-2", "evt-3"]) yield* addEvent(engine, id)
    yield* travel(200_000, 4_000)
    yield* addEvent(engine, "evt-4")
    yield* travel(200_000, 4_000)
  })

/** A stop with an entry that waits for its retry, so that there is something to release. */
const stopHolding = ({ close, engine }: Scene) =>
  Effect.gen(function* () {
    yield* addEvent(engine, "evt-5")
    yield* travel(1_000)
    yield* close
  })

const endOf = ({ collector }: Scene) =>
  Effect.gen(function* () {
    const join = yield* Effect.forkChild(Effect.exit(collector.join))
    yield* settle
    const exit = join.pollUnsafe()
    return exit === undefined ? undefined : Exit.isSuccess(exit) ? exit.value : exit
  })

/** An end by itself: said once, and shown wherever one looks. */
const assertEnded = (scene: Scene, end: Exit.Exit<void, { readonly message: string }>) =>
  Effect.gen(function* () {
    const { collector, lines } = scene
    assert.isTrue(Exit.isFailure(end))
    const problem = Exit.isFailure(end) ? Cause.squash(end.cause) : undefined
    assert.instanceOf(problem, Error)
    assert.strictEqual(lines.filter((line) => line === "collector.ended").length, 1)
    const report = yield* collector.health.report
    assert.deepStrictEqual([report.status, report.problem], ["down", problem.message])
    assert.deepStrictEqual(yield* collector.health.live, { live: false, silent: [], problem: problem.message })
    const ready = yield* collector.health.ready
    assert.isFalse(ready.ready)
    assert.include(ready.reasons, problem.message)
  })

/** As if nothing had been: everything has come to its end, and the collector is well. */
const assertWell = (scene: Scene) =>
  Effect.gen(function* () {
    const { api, collector, engine } = scene
    assert.sameMembers([...new Set(api.delivered)], ["evt-1", "evt-2", "evt-4"])
    assert.strictEqual(yield* lengthOf(engine, abandoned), 1)
    for (const stream of [transcribe, dlq]) assert.strictEqual(yield* pendingCount(engine, stream), 0, stream)
    assert.deepStrictEqual(yield* collector.health.live, { live: true, silent: [] })
    assert.deepStrictEqual(yield* collector.health.ready, { ready: true, reasons: [] })
  })

const said = /^(?:loop\.died|stop\.died|lease\.not_released|request\.died|signing\.died)$/

describe("a collector whose parts are sound", () => {
  it.effect("takes every step of this table, and says nothing of a breakdown", () =>
    withScene((scene) =>
      Effect.gen(function* () {
        yield* live(scene)
        yield* assertWell(scene)
        yield* stopHolding(scene)
        assert.sameMembers([...scene.given.asked.keys()], steps)
        assert.deepStrictEqual(
          scene.lines.filter((line) => said.test(line)),
          []
        )
        assert.deepStrictEqual(yield* endOf(scene), Exit.void)
      })
    )
  )
})

for (const step of steps) {
  describe(`${step} that breaks down`, () => {
    for (const breakdown of ["defect", "interruption"] as const) {
      for (const nth of [1, 3]) {
        it.effect(`by ${breakdown}, ${nth === 1 ? "once" : `${nth} times`}, is said and got over`, () => {
          const given = new Given()
          given.breaks = (asked, count) => (asked === step && count <= nth ? breakdown : undefined)
          return withScene(
            (scene) =>
              Effect.gen(function* () {
                yield* live(scene)
                yield* assertWell(scene)
                yield* stopHolding(scene)
                assert.isAtLeast(given.broken, 1)
                // An interrupted request is a failed attempt, which the event's story tells.
                const isRequest = ["POST", "GET configurations"].includes(step) && breakdown === "interruption"
                if (!isRequest)
                  assert.isTrue(
                    scene.lines.some((line) => said.test(line)),
                    scene.lines.join()
                  )
                assert.deepStrictEqual(yield* endOf(scene), Exit.void)
              }),
            given
          )
        })
      }

      it.effect(`by ${breakdown} for ever is said, and what ends is seen to have ended`, () => {
        const given = new Given()
        given.breaks = (asked) => (asked === step ? breakdown : undefined)
        return withScene(
          (scene) =>
            Effect.gen(function* () {
              yield* live(scene)
              const end = yield* endOf(scene)
              if (end !== undefined) yield* assertEnded(scene, end)
              else if (step === "POST")
                assert.strictEqual((yield* scene.collector.health.report).checks.api.status, "degraded")
              yield* stopHolding(scene)
              const isRequest = ["POST", "GET configurations"].includes(step)
              if (!isRequest)
                assert.isTrue(
                  scene.lines.some((line) => said.test(line)),
                  scene.lines.join()
                )
              if (end === undefined) assert.deepStrictEqual(yield* endOf(scene), Exit.void)
            }),
          given
        )
      })
    }
  })
}

describe("a stop", () => {
  for (const breakdown of ["defect", "interruption"] as const) {
    it.effect(`comes to its end, and says so, where all that it asks breaks down by ${breakdown}`, () => {
      const given = new Given()
      return withScene(
        (scene) =>
          Effect.gen(function* () {
            yield* live(scene)
            yield* addEvent(scene.engine, "evt-5")
            yield* travel(1_000)
            given.breaks = () => breakdown
            yield* scene.close
            assert.includeMembers([...scene.lines], ["stop.died", "lease.not_released"])
            assert.deepStrictEqual(yield* endOf(scene), Exit.void)
          }),
        given
      )
    })
  }
})

/** Redis that knows no such password. */
const refusing = new (class extends Given {
  override redis(engine: Redis["Service"]): Redis["Service"] {
    const refuse = Effect.fail(new RedisError({ cause: new Error("WRONGPASS invalid username-password pair") }))
    return { ...engine, send: () => refuse, reserve: refuse }
  }
})()

describe("a user that Redis refuses", () => {
  it.effect("ends the collector for all to see, whether or not anybody joins", () =>
    withScene(
      (scene) =>
        Effect.gen(function* () {
          yield* travel(1_000)
          const live = yield* scene.collector.health.live
          assert.isFalse(live.live)
          assert.match(live.problem ?? "", /^Redis refuses this user: .*WRONGPASS/)
          assert.include(scene.lines, "collector.ended")
          const end = yield* endOf(scene)
          if (end === undefined) throw new Error("it did not end")
          yield* assertEnded(scene, end)
        }),
      refusing
    )
  )
})
