/** A host app as its own tests would have it: it runs a collector in memory, says so, and stops. */
import { Effect, Layer, Redacted, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import {
  EventKind,
  JobCollector,
  type JobCollectorOptions,
  layerIoRedis,
  layerLeanHttpClient,
  layerMemoryRedis,
  layerNativeSigner
} from "job-collector"
import { Fault, type World } from "job-collector/testing"
import { makeVerifier } from "job-collector/verifier"

const refunds = EventKind.make({
  name: "refund",
  stream: "shop:events:refund",
  schema: Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString }),
  request: (refund, source) => ({
    path: "/api/refunds",
    body: { ...refund, source },
    idempotencyKey: refund.event_id
  })
})

export const options = { apiBaseUrl: "http://127.0.0.1:9", kinds: [refunds] } satisfies JobCollectorOptions

/** What a test of the host has, by name and type. */
export const faults: typeof Fault = Fault
export type SimulatedWorld = World
export const verify = makeVerifier
export const routes = JobCollector.healthRoutes({ prefix: "/collector" })

const signer = layerNativeSigner(Redacted.make("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))

export const inProduction = JobCollector.layer(options).pipe(
  Layer.provide([layerIoRedis({ url: Redacted.make("redis://127.0.0.1:6379") }), FetchHttpClient.layer, signer])
)

const inMemory = JobCollector.layer(options).pipe(Layer.provide([layerMemoryRedis, layerLeanHttpClient(), signer]))

export const program = Effect.gen(function* () {
  const collector = yield* JobCollector
  const { status } = yield* collector.health.report
  console.log(`the collector is ${status}`)
}).pipe(Effect.provide(inMemory))

void Effect.runPromise(program)
