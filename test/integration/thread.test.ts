import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { Redis as IoRedisClient } from "ioredis"
import { JobCollector } from "../../src/JobCollector.ts"
import * as IoRedis from "../../src/layers/IoRedis.ts"
import * as LeanHttpClient from "../../src/layers/LeanHttpClient.ts"
import * as NativeSigner from "../../src/layers/NativeSigner.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"

const privateKey = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
const publicKey = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex")

describe("the way of an event, on real parts", () => {
  it.live(
    "10,000 mixed events are delivered once each, signed, and acknowledged",
    () =>
      Effect.gen(function* () {
        const redis = yield* Effect.acquireRelease(
          Effect.promise(() => RedisServer.start()),
          (server) => Effect.promise(() => server.stop())
        )
        const api = yield* Effect.acquireRelease(
          Effect.promise(() => ReceivingApi.start(publicKey)),
          (server) => Effect.promise(() => server.close())
        )
        const client = yield* Effect.acquireRelease(
          Effect.sync(() => new IoRedisClient(redis.url)),
          (it) => Effect.sync(() => it.disconnect())
        )
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
              NativeSigner.layer(Redacted.make(privateKey))
            )
          )
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Layer.build(layer)
            yield* Effect.promise(() =>
              waitUntil("all events are delivered", () => api.charges.size === 10_000, 60_000)
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
    90_000
  )
})
