import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { makeCollector } from "../../examples/compose.ts"
import { makeBoth, Prices } from "../../examples/own-rules.ts"
import { testKey } from "../support/collector-process.ts"
import { realParts } from "../support/real-parts.ts"
import { waitUntil } from "../support/redis-server.ts"

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

describe("the README", () => {
  it("shows the composition example as it stands and is compiled", () => {
    assert.include(file("README.md"), `\`\`\`ts\n${file("examples/compose.ts")}\`\`\``)
  })

  it("shows the signature of a known request", () => {
    const [, vector] = JSON.parse(file("test/vectors/request_signature_v1.json"))
    for (const part of [vector.body_utf8, vector.body_sha256_hex, vector.authorization]) {
      assert.include(file("README.md"), part)
    }
  })
})

describe("the composition example", () => {
  it.live("delivers events of its own kind, and abandons what its schema refuses", () =>
    Effect.gen(function* () {
      const { api, client, redis } = yield* realParts
      yield* Layer.build(makeCollector({ redisUrl: redis.url, apiBaseUrl: api.url, privateKey: testKey.private }))
      yield* Effect.promise(async () => {
        await client.xadd("shop:events:refund", "*", "event_id", "r-1", "cents", "1250")
        await client.xadd("shop:events:refund", "*", "event_id", "r-2", "cents", "plenty")
        await waitUntil("the refund is delivered", () => api.requests.length === 1)
        await waitUntil(
          "the other is abandoned",
          async () => (await client.xlen("modelsgateway:events:abandoned")) === 1
        )
      })
      const [request] = api.requests
      assert.strictEqual(request?.eventId, "r-1")
      assert.strictEqual(request?.body.cents, 1250)
      assert.isTrue(request?.verified)
    }).pipe(Effect.scoped)
  )
})

describe("the example of kinds with rules of their own", () => {
  it.live("runs two collectors in one app, whose metrics stay apart", () =>
    Effect.gen(function* () {
      const { api, client, redis } = yield* realParts
      const { jobs, orders } = yield* makeBoth({
        redisUrl: redis.url,
        apiBaseUrl: api.url,
        shopUrl: api.url,
        privateKey: testKey.private
      }).pipe(Effect.provideService(Prices, { of: () => Effect.succeed(5) }))
      let asked = 0
      api.answer = () => {
        asked += 1
        return { status: 200, body: asked === 1 ? { state: "open" } : { state: "booked", booking: "b-1" } }
      }
      yield* Effect.promise(async () => {
        await client.xadd("shop:events:order", "*", "order_id", "o-1", "item", "tea")
        await waitUntil("the order is delivered at its second attempt", () => api.requests.length === 2)
        await waitUntil("it has left the DLQ", async () => (await client.xlen("shop:events:dlq")) === 0)
      })
      assert.deepStrictEqual(
        api.requests.map(({ attempt, body, headers }) => [headers["x-shop"], attempt, body.price]),
        [
          ["7", 1, 5],
          ["7", 2, 5]
        ]
      )
      assert.notStrictEqual(jobs, orders)
      const delivered = (yield* Metric.snapshot).filter(
        ({ attributes, id }) =>
          id === "job_collector_deliveries_total" && attributes?.outcome === "delivered" && attributes.stream !== "dlq"
      )
      assert.deepStrictEqual(
        delivered.map(({ attributes }) => `${attributes?.collector} ${attributes?.stream}`).sort(),
        ["jobs process", "jobs transcribe", "orders order"]
      )
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()), Effect.scoped)
  )
})
