/** The types that a host app sees: `npm run check` compiles this file, and a line that should not compile is expected not to. */
import { Context, Effect, type FileSystem, type Layer, Schedule, Schema } from "effect"
import type { HttpClient } from "effect/http"
import {
  EventKind,
  JobCollector,
  type JobCollectorOptions,
  layerMemoryRedis,
  type OptionsError,
  type Redis,
  type Signer
} from "job-collector"
import { describe, expectTypeOf, it } from "vitest"

const Refund = Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString })
const base = { name: "refund", stream: "shop:refunds", schema: Refund }
const refund = EventKind.make({
  ...base,
  request: ({ event_id }) => ({ path: "/", body: {}, idempotencyKey: event_id })
})

class Prices extends Context.Service<Prices, { readonly of: (cents: number) => Effect.Effect<number> }>()("Prices") {}
const priced = EventKind.make({
  ...base,
  name: "priced",
  request: ({ cents, event_id }) =>
    Prices.use((prices) =>
      Effect.map(prices.of(cents), (price) => ({ path: "/", body: { price }, idempotencyKey: event_id }))
    )
})

type Needs = Redis | HttpClient.HttpClient | Signer
type NeededBy<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? R : never

describe("an event kind", () => {
  it("gives its request what its schema decodes, and where the event was first written", () => {
    EventKind.make({
      ...base,
      request: (event, source) => {
        expectTypeOf(event).toEqualTypeOf<{ readonly event_id: string; readonly cents: number }>()
        expectTypeOf(source).toEqualTypeOf<EventKind.Source>()
        return { path: "/", body: event, idempotencyKey: event.event_id }
      }
    })
  })

  it("needs what its request needs", () => {
    expectTypeOf(refund).toEqualTypeOf<EventKind.EventKind<never>>()
    expectTypeOf(priced).toEqualTypeOf<EventKind.EventKind<Prices>>()
  })

  it("takes any schedule, and only a request that is one", () => {
    EventKind.make({
      ...base,
      request: () => ({ path: "/", body: {}, idempotencyKey: "1" }),
      retry: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 3 })),
      timeout: "30 seconds"
    })
    // @ts-expect-error: a request without its idempotency key
    EventKind.make({ ...base, request: () => ({ path: "/", body: {} }) })
    // @ts-expect-error: GET carries no event
    EventKind.make({ ...base, request: () => ({ method: "GET", path: "/", body: {}, idempotencyKey: "1" }) })
  })
})

describe("the collector's layer", () => {
  const options = { apiBaseUrl: "http://api.test" }

  it("needs Redis, a client and a signer, and what its kinds need", () => {
    expectTypeOf(JobCollector.layer(options)).toEqualTypeOf<Layer.Layer<JobCollector, OptionsError, Needs>>()
    const withKinds = JobCollector.layer({ ...options, kinds: [refund, priced] })
    expectTypeOf<NeededBy<typeof withKinds>>().toEqualTypeOf<Needs | Prices>()
  })

  it("needs a file system for configuration sync alone", () => {
    const plain = JobCollector.layer({ ...options, configSync: undefined })
    expectTypeOf<NeededBy<typeof plain>>().toEqualTypeOf<Needs>()
    const synced = JobCollector.layer({
      ...options,
      configSync: { directory: "/config", interval: "1 minute", drift: "report" }
    })
    expectTypeOf<NeededBy<typeof synced>>().toEqualTypeOf<Needs | FileSystem.FileSystem>()
  })

  it("takes durations of any form, and no option that it does not know", () => {
    expectTypeOf<{ apiBaseUrl: string; apiTimeout: "5 seconds" }>().toExtend<JobCollectorOptions>()
    expectTypeOf<{ apiBaseUrl: string; apiTimeout: 5_000; claimIdle: undefined }>().toExtend<JobCollectorOptions>()
    // @ts-expect-error: the API's address is required
    JobCollector.layer({})
    // @ts-expect-error: a name that is misspelt
    JobCollector.layer({ ...options, deliveryConcurency: 5 })
  })

  it("gives the collector, whose end fails with what is known to end it", () => {
    expectTypeOf(layerMemoryRedis).toEqualTypeOf<Layer.Layer<Redis>>()
    type End = Effect.Error<typeof JobCollector.join>
    expectTypeOf<End["_tag"]>().toEqualTypeOf<"RedisRefused" | "StreamTaken" | "TooManyDefects" | "CollectorDied">()
  })
})
