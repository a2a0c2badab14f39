import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, Layer, Redacted, Ref } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import type { AttemptResult, Failed } from "../../src/domain/attempt.ts"
import * as JobsApiLayer from "../../src/layers/JobsApi.ts"
import * as NobleSigner from "../../src/layers/NobleSigner.ts"
import { type Delivery, JobsApi } from "../../src/services/JobsApi.ts"

interface Vector {
  readonly private_key_hex: string
  readonly timestamp: number
  readonly service_id: string
  readonly body_utf8: string
  readonly authorization: string
}

const vectors: ReadonlyArray<Vector> = JSON.parse(
  readFileSync(new URL("../vectors/request_signature_v1.json", import.meta.url), "utf8")
)
const SEED = vectors[0]?.private_key_hex ?? ""

type Answer = (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<Response, HttpClientError.HttpClientError>

/** The layer under test over a client that answers from a function and keeps what it was sent. */
const withApi = (
  answer: Answer,
  options?: { readonly seed?: string; readonly serviceId?: string; readonly baseUrl?: string }
) => {
  const requests: Array<HttpClientRequest.HttpClientRequest> = []
  const client = HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
    Effect.flatMap((request) => {
      requests.push(request)
      return Effect.map(answer(request), (response) => HttpClientResponse.fromWeb(request, response))
    }),
    Effect.succeed
  )
  const layer = JobsApiLayer.layer({
    baseUrl: options?.baseUrl ?? "https://api.example",
    serviceId: options?.serviceId ?? "job-collector",
    timeout: "10 seconds"
  }).pipe(
    Layer.provide([
      Layer.succeed(HttpClient.HttpClient, client),
      NobleSigner.layer(Redacted.make(options?.seed ?? SEED))
    ])
  )
  return { requests, layer }
}

const delivery = (overrides?: Partial<Delivery>): Delivery => ({
  path: "/api/jobs/add",
  body: new TextEncoder().encode("{}"),
  idempotencyKey: "evt-1",
  attempt: 1,
  ...overrides
})

/** One attempt against an answer. */
const attempt = (status: number, body: string, headers: Record<string, string> = {}): Effect.Effect<AttemptResult> => {
  const { layer } = withApi(() => Effect.succeed(new Response(status === 204 ? null : body, { status, headers })))
  return JobsApi.use((api) => api.deliver(delivery())).pipe(Effect.provide(layer), Effect.orDie)
}

const failedAttempt = (status: number, body: string, headers?: Record<string, string>): Effect.Effect<Failed> =>
  Effect.map(attempt(status, body, headers), (result) => {
    assert(result._tag === "Failed", `accepted: ${body}`)
    return result
  })

const success = JSON.stringify({ job_id: "j1", credits_deducted: 58 })

describe("a delivery", () => {
  it.effect("carries exactly the headers of the vectors and the bytes that were signed", () =>
    Effect.gen(function* () {
      assert.isAtLeast(vectors.length, 3)
      for (const vector of vectors) {
        const body = new TextEncoder().encode(vector.body_utf8)
        const { layer, requests } = withApi(() => Effect.succeed(new Response(success)), {
          seed: vector.private_key_hex,
          serviceId: vector.service_id,
          baseUrl: "https://api.example/base/"
        })
        yield* TestClock.setTime(vector.timestamp * 1_000 + 999)
        yield* JobsApi.use((api) => api.deliver(delivery({ body, attempt: 3 }))).pipe(
          Effect.provide(layer, { local: true })
        )
        const [request] = requests
        assert(request !== undefined)
        assert.strictEqual(request.method, "POST")
        assert.strictEqual(request.url, "https://api.example/base/api/jobs/add")
        assert.deepStrictEqual(
          { ...request.headers },
          {
            authorization: vector.authorization,
            "content-type": "application/json",
            "x-service-id": vector.service_id,
            "idempotency-key": "evt-1",
            "x-delivery-attempt": "3"
          }
        )
        assert(request.body._tag === "Uint8Array")
        assert.deepStrictEqual(request.body.body, body)
      }
    })
  )

  it.effect("is signed with the time of its own attempt", () =>
    Effect.gen(function* () {
      const { layer, requests } = withApi(() => Effect.succeed(new Response("", { status: 500 })))
      yield* Effect.gen(function* () {
        const api = yield* JobsApi
        for (const wait of [0, 5, 15, 45]) {
          yield* TestClock.adjust(`${wait} seconds`)
          yield* api.deliver(delivery())
        }
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(
        requests.map((request) => /^Ed25519 (\d+):/.exec(request.headers.authorization ?? "")?.[1]),
        ["0", "5", "20", "65"]
      )
    })
  )

  it.effect("times out at 10 s exactly, and its request is interrupted then", () =>
    Effect.gen(function* () {
      const interruptedAt = yield* Deferred.make<number>()
      const { layer } = withApi(() =>
        Effect.never.pipe(
          Effect.onInterrupt(() =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => Deferred.succeed(interruptedAt, now))
          )
        )
      )
      yield* Effect.gen(function* () {
        const api = yield* JobsApi
        const done = yield* Ref.make(false)
        const fiber = yield* api.deliver(delivery()).pipe(
          Effect.tap(() => Ref.set(done, true)),
          Effect.forkChild
        )
        yield* TestClock.adjust("9999 millis")
        assert.isFalse(yield* Ref.get(done))
        yield* TestClock.adjust("1 millis")
        assert.isTrue(yield* Ref.get(done))
        const result = yield* Fiber.join(fiber)
        assert(result._tag === "Failed")
        assert.strictEqual(result.errorCode, "TIMEOUT")
        assert.strictEqual(yield* Deferred.await(interruptedAt), 10_000)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("times out 10 s after its own begin, whatever else is under way or was answered", () =>
    Effect.gen(function* () {
      const answers: ReadonlyArray<Effect.Effect<Response>> = [
        Effect.never,
        Effect.sleep("2 seconds").pipe(Effect.as(new Response(success))),
        Effect.never,
        Effect.sleep("9999 millis").pipe(Effect.as(new Response(success)))
      ]
      let next = 0
      const { layer } = withApi(() => answers[next++] ?? Effect.never)
      yield* Effect.gen(function* () {
        const api = yield* JobsApi
        const ends: Array<readonly [number, number, string]> = []
        const begin = (n: number) =>
          api.deliver(delivery()).pipe(
            Effect.flatMap((result) =>
              Effect.map(Clock.currentTimeMillis, (now) =>
                ends.push([n, now, result._tag === "Failed" ? result.errorCode : "Accepted"])
              )
            ),
            Effect.forkChild({ startImmediately: true })
          )
        for (const n of [0, 1, 2, 3]) {
          yield* begin(n)
          yield* TestClock.adjust("3 seconds")
        }
        yield* TestClock.adjust("30 seconds")
        // After a while without any the watch begins anew.
        yield* begin(4)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(ends, [
          [1, 5_000, "Accepted"],
          [0, 10_000, "TIMEOUT"],
          [2, 16_000, "TIMEOUT"],
          [3, 18_999, "Accepted"],
          [4, 52_000, "TIMEOUT"]
        ])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("that is interrupted interrupts its request, and no other", () =>
    Effect.gen(function* () {
      const interrupted: Array<string> = []
      const { layer } = withApi((request) =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => interrupted.push(request.headers["idempotency-key"] ?? ""))
        )
      )
      yield* Effect.gen(function* () {
        const api = yield* JobsApi
        const first = yield* Effect.forkChild(api.deliver(delivery({ idempotencyKey: "one" })), {
          startImmediately: true
        })
        const second = yield* Effect.forkChild(api.deliver(delivery({ idempotencyKey: "two" })), {
          startImmediately: true
        })
        yield* Fiber.interrupt(first)
        assert.deepStrictEqual(interrupted, ["one"])
        yield* TestClock.adjust("10 seconds")
        const result = yield* Fiber.join(second)
        assert(result._tag === "Failed" && result.errorCode === "TIMEOUT")
        assert.deepStrictEqual(interrupted, ["one", "two"])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("is accepted by a 2xx with job_id and credits_deducted, and by a 409 with job_id", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* attempt(200, success), { _tag: "Accepted", jobId: "j1", creditsDeducted: 58 })
      assert.deepStrictEqual(yield* attempt(201, `{"job_id":42,"credits_deducted":0,"more":[]}`), {
        _tag: "Accepted",
        jobId: "42",
        creditsDeducted: 0
      })
      assert.deepStrictEqual(yield* attempt(409, `{"job_id":"j1"}`), {
        _tag: "Accepted",
        jobId: "j1",
        creditsDeducted: undefined
      })
    })
  )

  it.effect("is a bad response where a 2xx lacks what it must have", () =>
    Effect.gen(function* () {
      const bodies = [
        "",
        "null",
        "[]",
        `"text"`,
        "{",
        "{}",
        `{"job_id":"j1"}`,
        `{"credits_deducted":1}`,
        `{"job_id":null,"credits_deducted":1}`,
        `{"job_id":"j1","credits_deducted":"1"}`,
        `{"job_id":"j1","credits_deducted":1e999}`,
        `{"job_id":1e999,"credits_deducted":1}`,
        `{"__proto__":{"job_id":"j1","credits_deducted":1}}`,
        JSON.stringify({ job_id: "j1", credits_deducted: 1, pad: "é".repeat(600_000) })
      ]
      for (const body of bodies) {
        const result = yield* failedAttempt(200, body)
        assert.strictEqual(result.errorCode, "BAD_RESPONSE", body.slice(0, 80))
        assert.strictEqual(result.status, 200)
      }
      assert.strictEqual((yield* failedAttempt(204, "")).errorCode, "BAD_RESPONSE")
    })
  )

  it.effect("carries the API's own error, made fit to be kept", () =>
    Effect.gen(function* () {
      const message = (status: number, body: unknown) =>
        Effect.map(failedAttempt(status, typeof body === "string" ? body : JSON.stringify(body)), (result) => {
          assert.strictEqual(result.errorCode, `HTTP_${status}`)
          assert.strictEqual(result.status, status)
          return result.errorMessage
        })
      assert.strictEqual(yield* message(402, { error_code: "NO_CREDIT", error_message: "empty" }), "NO_CREDIT: empty")
      assert.strictEqual(yield* message(500, { error_message: "only this" }), "only this")
      assert.strictEqual(yield* message(500, { error_code: 17 }), "17")
      assert.strictEqual(yield* message(502, "<html>"), "the API answered with status 502")
      assert.strictEqual(yield* message(503, { error_code: {} }), "the API answered with status 503")
      assert.strictEqual(yield* message(409, { error_code: "CONFLICT" }), "CONFLICT")
      assert.strictEqual(yield* message(302, ""), "the API answered with status 302")
      assert.strictEqual(yield* message(500, { error_message: "a\r\n\u001b[31mb" }), "a [31mb")
      assert.strictEqual((yield* message(500, { error_message: "x".repeat(5_000) })).length, 1_024)
      const cut = yield* message(500, { error_message: `${"x".repeat(1_023)}😀` })
      assert.isTrue(cut.isWellFormed())
    })
  )

  it.effect("never repeats its Authorization header, however the API echoes it", () =>
    Effect.gen(function* () {
      const echoes: ReadonlyArray<(header: string) => string> = [
        (header) => `bad header ${header}!`,
        (header) => `bad ${header.slice(0, 60)}`,
        (header) => `bad ${encodeURIComponent(header)}`,
        (header) => `bad signature ${header.split(":")[1]}`
      ]
      for (const echo of echoes) {
        const { layer, requests } = withApi((request) =>
          Effect.succeed(
            Response.json(
              { error_code: "E", error_message: echo(request.headers.authorization ?? "") },
              { status: 401 }
            )
          )
        )
        const result = yield* JobsApi.use((api) => api.deliver(delivery())).pipe(Effect.provide(layer, { local: true }))
        assert(result._tag === "Failed")
        assert.include(result.errorMessage, "<redacted>")
        const signature = requests[0]?.headers.authorization?.split(":")[1] ?? ""
        assert.isAbove(signature.length, 80)
        assert.notInclude(result.errorMessage, signature.slice(0, 12))
      }
    })
  )

  it.effect("is a network failure with the system's words where no response comes", () =>
    Effect.gen(function* () {
      const causes = [
        [
          Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" }),
          /^connect ECONNREFUSED/
        ],
        [
          Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" }),
          /^UND_ERR_SOCKET: other side closed$/
        ],
        [Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }), /^ECONNREFUSED: /],
        [undefined, /^Transport/]
      ] as const
      for (const [cause, expected] of causes) {
        const { layer } = withApi((request) =>
          Effect.fail(
            new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
          )
        )
        const result = yield* JobsApi.use((api) => api.deliver(delivery())).pipe(Effect.provide(layer, { local: true }))
        assert(result._tag === "Failed")
        assert.strictEqual(result.errorCode, "NETWORK")
        assert.isUndefined(result.status)
        assert.match(result.errorMessage, expected)
      }
    })
  )

  it.effect("takes Retry-After as seconds or as a date by the clock, 5 minutes at most", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(1994, 10, 6, 8, 49, 0))
      const wait = (retryAfter: string) =>
        Effect.map(failedAttempt(429, "", { "retry-after": retryAfter }), (result) => result.retryAfterMs)
      assert.strictEqual(yield* wait("60"), 60_000)
      assert.strictEqual(yield* wait("0"), 0)
      assert.strictEqual(yield* wait("301"), 300_000)
      assert.strictEqual(yield* wait("9".repeat(400)), 300_000)
      assert.strictEqual(yield* wait("Sun, 06 Nov 1994 08:49:37 GMT"), 37_000)
      assert.strictEqual(yield* wait("Sunday, 06-Nov-94 08:49:37 GMT"), 37_000)
      assert.strictEqual(yield* wait("Sun Nov  6 08:49:37 1994"), 37_000)
      assert.strictEqual(yield* wait("Mon, 07 Nov 1994 08:49:37 GMT"), 300_000)
      for (const garbage of [
        "-1",
        "1.5",
        "soon",
        "",
        "0x10",
        "5 apples",
        "1994-11-06T08:50:00Z",
        "Sun, 06 Nov 1994 08:48:59 GMT",
        "Wed, 31 Nov 1994 08:50:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT"
      ]) {
        assert.isUndefined(yield* wait(garbage), garbage)
      }
      assert.isUndefined((yield* failedAttempt(429, "")).retryAfterMs)
    })
  )
})

describe("the configurations", () => {
  const configurations = (answer: Answer, etag?: string) => {
    const { layer, requests } = withApi(answer)
    return JobsApi.use((api) => api.configurations(etag)).pipe(
      Effect.provide(layer, { local: true }),
      Effect.map((result) => ({ result, request: requests[0] }))
    )
  }

  it.effect("are asked for with a signature of the empty body and the known ETag", () =>
    Effect.gen(function* () {
      const vector = vectors.find((one) => one.body_utf8 === "")
      assert(vector !== undefined)
      yield* TestClock.setTime(vector.timestamp * 1_000)
      const { result, request } = yield* configurations(
        () => Effect.succeed(new Response(null, { status: 304 })),
        '"v6"'
      )
      assert.deepStrictEqual(result, { _tag: "NotModified" })
      assert(request !== undefined)
      assert.strictEqual(request.method, "GET")
      assert.strictEqual(request.url, "https://api.example/api/models/configurations")
      assert.deepStrictEqual(
        { ...request.headers },
        {
          authorization: vector.authorization,
          accept: "application/json",
          "x-service-id": "job-collector",
          "if-none-match": '"v6"'
        }
      )
    })
  )

  it.effect("come as they are, with ETag and digest where given", () =>
    Effect.gen(function* () {
      const { result, request } = yield* configurations(() =>
        Effect.succeed(new Response("not even json", { headers: { etag: '"v7"' } }))
      )
      assert(result._tag === "Fetched")
      assert.strictEqual(new TextDecoder().decode(result.body), "not even json")
      assert.strictEqual(result.etag, '"v7"')
      assert.isUndefined(result.contentDigest)
      assert.isUndefined(request?.headers["if-none-match"])
    })
  )

  it.effect("fail on any other status, and on a 304 that was not asked for", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        configurations(() =>
          Effect.succeed(Response.json({ error_code: "DENIED", error_message: "no" }, { status: 403 }))
        )
      )
      assert(error._tag === "JobsApiError")
      assert.strictEqual(error.message, "HTTP_403: DENIED: no")
      const unasked = yield* Effect.flip(configurations(() => Effect.succeed(new Response(null, { status: 304 }))))
      assert(unasked._tag === "JobsApiError")
      assert.strictEqual(unasked.errorCode, "HTTP_304")
    })
  )

  it.effect("time out at 10 s", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(configurations(() => Effect.never)))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(fiber)
      assert(error._tag === "JobsApiError")
      assert.strictEqual(error.errorCode, "TIMEOUT")
    })
  )
})
