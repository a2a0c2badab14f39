/** A collector over the memory engine and a scripted API, all under the TestClock. */
import { Clock, Effect, Layer, Redacted } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { JobCollector, type JobCollectorOptions } from "../../src/JobCollector.ts"
import { LeanHttpResponse } from "../../src/layers/http/LeanHttpResponse.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import { patientClock } from "./patient-clock.ts"

export interface Attempt {
  /** Virtual milliseconds. */
  readonly at: number
  readonly eventId: string
  readonly attempt: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export interface ScriptedAnswer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
  /** Milliseconds until it comes. */
  readonly delay?: number
}

export const success: ScriptedAnswer = { status: 200, body: { job_id: "job-1", credits_deducted: 58 } }

const encoder = new TextEncoder()

/** An API that answers as told and notes when it was asked. */
export class ScriptedApi {
  readonly attempts: Array<Attempt> = []
  /** The events answered with success, each as often as it was. */
  readonly delivered: Array<string> = []
  answer: (attempt: Attempt) => ScriptedAnswer = () => success
  /** How often it was asked for its configurations. */
  asked = 0
  private readonly sent: Array<Uint8Array> = []

  readonly layer: Layer.Layer<HttpClient.HttpClient> = Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) => {
        // Health asks for the configurations while nothing is delivered.
        if (request.method === "GET") {
          this.asked += 1
          return Effect.succeed(new LeanHttpResponse(request, request.url, 404, {}, new Uint8Array(0)))
        }
        const attempt = {
          at,
          eventId: request.headers["idempotency-key"] ?? "",
          attempt: Number(request.headers["x-delivery-attempt"]),
          method: request.method,
          path: new URL(request.url).pathname,
          headers: request.headers
        }
        this.attempts.push(attempt)
        if (request.body._tag === "Uint8Array") this.sent.push(request.body.body)
        const { body, delay = 0, headers, status } = this.answer(attempt)
        // A whole response, so that reading it takes no promise: the clock would not wait for one.
        const response = Effect.sync(() => {
          if (status >= 200 && status < 300) this.delivered.push(attempt.eventId)
          const bytes = encoder.encode(JSON.stringify(body ?? {}))
          return new LeanHttpResponse(request, request.url, status, headers ?? {}, bytes)
        })
        return delay > 0 ? Effect.delay(response, delay) : response
      })
    )
  )

  /** What each attempt sent. */
  get bodies(): ReadonlyArray<Readonly<Record<string, unknown>>> {
    return this.sent.map((body) => JSON.parse(new TextDecoder().decode(body)))
  }

  instants(eventId: string): ReadonlyArray<number> {
    return this.attempts.filter((attempt) => attempt.eventId === eventId).map(({ at }) => at)
  }
}

/** The RFC 8032 test key 1. */
export const testPrivateKey = Redacted.make("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")

/** Lets everything that is ready run before time moves: some fibers need several scheduler turns to reach their sleep. */
export const settle: Effect.Effect<void> = Effect.asVoid(Effect.repeat(Effect.yieldNow, { times: 100 }))

/** Moves the clock in steps, everything settled after each, so that no fiber misses its instant. */
export const travel = (ms: number, step = 1_000): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* settle
    for (let left = ms; left > 0; left -= step) {
      yield* TestClock.adjust(Math.min(step, left))
      yield* settle
    }
  })

/** Runs a collector and hands Redis to the test; `before` prepares that Redis, `through` is what the collector has of it. */
export const withCollector = <A, E>(
  api: ScriptedApi,
  options: Partial<Omit<JobCollectorOptions, "configSync">>,
  test: (redis: Redis["Service"]) => Effect.Effect<A, E, JobCollector>,
  before: (redis: Redis["Service"]) => Effect.Effect<unknown, unknown> = () => Effect.void,
  through: (redis: Redis["Service"]) => Redis["Service"] = (redis) => redis
): Effect.Effect<A, unknown> =>
  Effect.gen(function* () {
    const redis = yield* Redis
    yield* before(redis)
    const collector = JobCollector.layer({ apiBaseUrl: "http://api.test", ...options }).pipe(
      Layer.provide(Layer.mergeAll(Layer.succeed(Redis, through(redis)), api.layer, NativeSigner.layer(testPrivateKey)))
    )
    return yield* Effect.andThen(settle, test(redis)).pipe(Effect.provide(collector), Effect.scoped)
  }).pipe(Effect.provide(MemoryRedis.layer), Effect.scoped, Effect.provide(patientClock))
