import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import { JobsApi } from "../../src/services/JobsApi.ts"
import { type Answer, delivery, success, withApi } from "../support/answering-client.ts"
import { requestSignatures } from "../support/vectors.ts"

const idOf = (publicKey: string): string => createHash("sha256").update(publicKey, "hex").digest("hex").slice(0, 16)

describe("a delivery", () => {
  it.effect("carries exactly the headers of the requestSignatures and the bytes that were signed", () =>
    Effect.gen(function* () {
      assert.isAtLeast(requestSignatures.length, 3)
      for (const vector of requestSignatures) {
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
            "x-key-id": idOf(vector.public_key_hex),
            "accept-encoding": "identity",
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
      const vector = requestSignatures.find((one) => one.body_utf8 === "")
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
          "accept-encoding": "identity",
          accept: "application/json",
          "x-service-id": "job-collector",
          "x-key-id": idOf(vector.public_key_hex),
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
