import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { makeCollector } from "../../examples/compose.ts"
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
