import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Redacted, Schema } from "effect"
import { RESP_TYPES } from "redis"
import { shop } from "../../examples/host-app.ts"
import { EventKind, JobCollector, layerLeanHttpClient, layerNativeSigner } from "../../src/index.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { eventuallyTrue } from "../contracts/steps.ts"
import { testKey } from "../support/collector-process.ts"
import { realParts, realPartsWith } from "../support/real-parts.ts"
import { freePort, waitUntil } from "../support/redis-server.ts"

const quiet = Logger.layer([])

describe("a host app with Effect's NodeRedis", () => {
  it.live("delivers two kinds through an outage of Redis, and shows its health below a prefix", () =>
    Effect.gen(function* () {
      const { api, client, redis } = yield* realPartsWith(["--appendonly", "yes", "--appendfsync", "always"])
      const port = yield* Effect.promise(freePort)
      yield* Layer.build(
        Layer.provide(shop({ redisUrl: redis.url, apiBaseUrl: api.url, privateKey: testKey.private, port }), quiet)
      )
      const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
      const add = (kind: string, id: string) => client.xadd(`shop:events:${kind}`, "*", "event_id", id)
      const delivered = (...ids: ReadonlyArray<string>) =>
        waitUntil(
          `${ids} are delivered`,
          () => ids.every((id) => api.requests.some(({ eventId }) => eventId === id)),
          60_000
        )
      yield* Effect.promise(async () => {
        await Promise.all([add("refund", "r-1"), add("shipment", "s-1")])
        await delivered("r-1", "s-1")
        await waitUntil("it is ready", async () => (await get("/collector/health/ready")).status === 200)
        await redis.down("SIGKILL")
        await waitUntil("it says that Redis is away", async () => (await get("/collector/health/ready")).status === 503)
        assert.strictEqual(await (await get("/")).text(), "the shop is open")
        assert.strictEqual((await get("/collector/health/live")).status, 200)
        await redis.up()
        await Promise.all([add("refund", "r-2"), add("shipment", "s-2")])
        await delivered("r-2", "s-2")
        await waitUntil("it is ready again", async () => (await get("/collector/health/ready")).status === 200, 60_000)
        for (const kind of ["refund", "shipment"]) {
          const pending = async () =>
            ((await client.xpending(`shop:events:${kind}`, "job-collector-group")) as [number])[0]
          await waitUntil(`each ${kind} is acknowledged`, async () => (await pending()) === 0)
        }
      })
      assert.strictEqual(new Set(api.requests.map(({ eventId }) => eventId)).size, 4)
    }).pipe(Effect.scoped)
  )

  it.live("delivers a dozen kinds with ten connections, and health says how many it should have", () =>
    Effect.gen(function* () {
      const { api, client, redis } = yield* realParts
      const names = Array.from({ length: 12 }, (_, at) => `kind-${at}`)
      const kinds = names.map((name) =>
        EventKind.make({
          name,
          stream: `shop:${name}`,
          schema: Schema.Struct({ event_id: Schema.NonEmptyString }),
          request: (event) => ({ path: "/api/all", body: event, idempotencyKey: event.event_id })
        })
      )
      const needs = Layer.mergeAll(
        NodeRedis.layer({ url: redis.url }),
        layerLeanHttpClient(),
        layerNativeSigner(Redacted.make(testKey.private)),
        quiet
      )
      const options = { apiBaseUrl: api.url, groupStartId: "0", kinds }
      const context = yield* Layer.build(Layer.provide(JobCollector.layer(options), needs))
      const { health } = Context.get(context, JobCollector)
      yield* eventuallyTrue(
        "every stream has its reader",
        Effect.map(
          health.report,
          ({ checks }) => JSON.stringify(checks.consumer_groups).match(/own_connection/g)?.length === 15
        )
      )
      for (const name of names) yield* Effect.promise(() => client.xadd(`shop:${name}`, "*", "event_id", name))
      yield* Effect.promise(() => waitUntil("all are delivered", () => api.requests.length === names.length))
      const { consumer_groups } = (yield* health.report).checks
      assert.strictEqual(consumer_groups.status, "ok", consumer_groups.problem)
      assert.match(String(consumer_groups.advice), /^5 of 15 streams have no connection of their own.*15 connections/)
    }).pipe(Effect.scoped)
  )

  it.live("reads bytes that are not UTF-8 as they are, where the driver is told to give bytes", () =>
    Effect.gen(function* () {
      const { client, redis } = yield* realParts
      yield* Effect.promise(() => client.xadd("s", "1-1", "n", Buffer.from([0x61, 0xff])))
      const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer }
      const driver = NodeRedis.layer({ url: redis.url, commandOptions: { typeMapping } })
      const read = EventStreams.use((streams) => streams.range("s", "-", "+", 1))
      const entries = yield* Effect.provide(read, Layer.provide(EventStreamsLayer.layer, driver))
      assert.deepStrictEqual(entries, [{ id: "1-1", fields: ["n", "a\udcff"] }])
    }).pipe(Effect.scoped)
  )
})
