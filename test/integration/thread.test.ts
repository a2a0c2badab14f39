import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { JobCollector } from "../../src/JobCollector.ts"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as IoRedis from "../../src/layers/redis/ioredis/IoRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { testKey } from "../support/collector-process.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import { realParts } from "../support/real-parts.ts"
import { waitUntil } from "../support/redis-server.ts"

describe("the way of an event, on real parts", () => {
  it.live(
    "10,000 mixed events are delivered once each, signed, and acknowledged",
    () =>
      Effect.gen(function* () {
        const { api, client, redis } = yield* realParts
        yield* Effect.promise(async () => {
          for (let at = 0; at < 10_000; at += 500) {
            const pipeline = client.pipeline()
            for (let i = at; i < at + 500; i++) {
              const even = i % 2 === 0
              const fields = even ? transcribeFields(`t-${i}`, Date.now()) : processFields(`p-${i}`, Date.now())
              pipeline.xadd(`modelsgateway:events:${even ? "transcribe" : "process"}`, "*", ...fields)
            }
            await pipeline.exec()
          }
        })
        const layer = JobCollector.layer({ apiBaseUrl: api.url, groupStartId: "0" }).pipe(
          Layer.provide(
            Layer.mergeAll(
              IoRedis.layer({ url: Redacted.make(redis.url) }),
              LeanHttpClient.layer({ connections: 64 }),
              NativeSigner.layer(Redacted.make(testKey.private))
            )
          )
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Layer.build(layer)
            yield* Effect.promise(() =>
              waitUntil("all events are delivered", () => api.charges.size === 10_000, 120_000)
            )
          })
        )
        assert.strictEqual(api.requests.length, 10_000)
        assert.strictEqual(api.unverifiedCount, 0)
        const left = yield* Effect.promise(async () => ({
          transcribe: await client.xpending("modelsgateway:events:transcribe", "job-collector-group"),
          process: await client.xpending("modelsgateway:events:process", "job-collector-group"),
          dlq: await client.xlen("modelsgateway:events:dlq"),
          abandoned: await client.xlen("modelsgateway:events:abandoned")
        }))
        assert.strictEqual(left.transcribe[0], 0)
        assert.strictEqual(left.process[0], 0)
        assert.strictEqual(left.dlq, 0)
        assert.strictEqual(left.abandoned, 0)
      }).pipe(Effect.scoped),
    180_000
  )
})
