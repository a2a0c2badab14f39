/** A host app that exports what it makes, without a type written: each has to be named in the host's declaration file. */
import { Effect, Layer, Redacted, Schedule, Schema, Stream } from "effect"
import * as library from "job-collector"
import { EventKind, JobCollector } from "job-collector"
import * as testing from "job-collector/testing"
import * as verifier from "job-collector/verifier"

export const everything = { ...library }
export const kit = { ...testing }
export const checks = { ...verifier }

export const refunds = EventKind.make({
  name: "refund",
  stream: "shop:events:refund",
  schema: Schema.Struct({ event_id: Schema.NonEmptyString }),
  request: ({ event_id }) => Effect.succeed({ path: "/api/refunds", body: { event_id }, idempotencyKey: event_id }),
  success: ({ status }) => (status === 201 ? EventKind.accepted() : EventKind.refused(`HTTP_${status}`)),
  retry: Schedule.spaced("1 minute"),
  concurrency: 2,
  rateLimit: "20 per second"
})

export const signer = library.layerNativeSigner(Redacted.make("a key"))
export const redis = library.layerIoRedis({ url: Redacted.make("redis://127.0.0.1") })
export const collector = JobCollector.layer({ apiBaseUrl: "http://127.0.0.1:9", kinds: [refunds] })
export const whole = collector.pipe(Layer.provide([redis, library.layerLeanHttpClient(), signer]))
export const routes = Layer.mergeAll(JobCollector.routes, JobCollector.healthRoutes({ prefix: "/collector" }))
export const settings = library.Environment.load(library.Environment.collector("host"))

export const handle = Effect.map(JobCollector, (it) => it)
export const parts = Effect.map(JobCollector, ({ health, limit, park, redrive, rules }) => ({
  health,
  limit,
  park,
  redrive,
  rules
}))
export const deliveries = JobCollector.events.pipe(Stream.filter((happening) => happening._tag === "Delivered"))
export const report = Effect.flatMap(JobCollector, ({ health }) => health.report)
export const groups = Effect.flatMap(JobCollector, ({ redrive }) => redrive.groups("dlq", "error"))
export const putBack = Effect.flatMap(JobCollector, ({ redrive }) => redrive.replay({ all: true }))
