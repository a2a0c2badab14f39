import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpClientError } from "effect/http"
import { TestClock } from "effect/testing"
import type { AttemptResult, Failed } from "../../src/domain/delivery/attempt.ts"
import { JobsApi } from "../../src/services/JobsApi.ts"
import { delivery, success, withApi } from "../support/answering-client.ts"

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

describe("a delivery", () => {
  it.effect("is accepted by a 2xx with job_id and credits_deducted, and by a 409 with job_id", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* attempt(200, success), { _tag: "Accepted", jobId: "j1", creditsDeducted: 58 })
      assert.deepStrictEqual(yield* attempt(201, `{"job_id":42,"credits_deducted":0,"more":[]}`), {
        _tag: "Accepted",
        jobId: "42",
        creditsDeducted: 0
      })
      const long = yield* attempt(200, `{"job_id":"${"j".repeat(10_000)}","credits_deducted":1}`)
      assert.strictEqual(long._tag === "Accepted" && long.jobId, `${"j".repeat(127)}…`)
      assert.deepStrictEqual(yield* attempt(409, `{"job_id":"j1"}`), {
        _tag: "Accepted",
        jobId: "j1",
        creditsDeducted: undefined
      })
    })
  )

  it.effect("is a bad response that says so where a 2xx comes in a coding that was not asked for", () =>
    Effect.gen(function* () {
      const { errorCode, errorMessage } = yield* failedAttempt(200, "\u001f\u008b", { "content-encoding": "gzip" })
      assert.strictEqual(errorCode, "BAD_RESPONSE")
      assert.match(errorMessage, /^the body is not a JSON object; .*gzip, which was not asked for$/)
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
