import { assert, it } from "@effect/vitest"
import { Clock, Effect, Layer, Redacted, Schema } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { EventKind, JobCollector, layerMemoryRedis, layerNativeSigner, Redis } from "job-collector"

const refunds = EventKind.make({
  name: "refund",
  stream: "shop:events:refund",
  schema: Schema.Struct({ event_id: Schema.NonEmptyString }),
  request: (refund) => ({ path: "/api/refunds", body: refund, idempotencyKey: refund.event_id })
})

it.effect("a shop that is closed is asked at once, and again after 5, 15 and 45 seconds", () => {
  const asked: Array<number> = []
  const closed = HttpClient.make((request) =>
    Effect.map(Clock.currentTimeMillis, (at) => {
      asked.push(at)
      return HttpClientResponse.fromWeb(request, new Response(null, { status: 503 }))
    })
  )
  const collector = JobCollector.layer({
    apiBaseUrl: "http://shop.test",
    groupStartId: "0",
    kinds: [refunds],
    apiProbe: false
  }).pipe(
    Layer.provide([
      Layer.succeed(HttpClient.HttpClient, closed),
      layerNativeSigner(Redacted.make("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    ]),
    Layer.provideMerge(layerMemoryRedis)
  )
  return Effect.gen(function* () {
    const redis = yield* Redis
    yield* redis.send("XADD", "shop:events:refund", "*", "event_id", "refund-1")
    yield* TestClock.adjust("2 minutes")
    assert.deepStrictEqual(asked, [0, 5_000, 20_000, 65_000])
    assert.strictEqual(yield* redis.send<number>("XLEN", "modelsgateway:events:abandoned"), 1)
  }).pipe(Effect.provide(collector))
})
