import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Redacted, Schema } from "effect"
import { EventKind, JobCollector, layerIoRedis, layerLeanHttpClient, layerNativeSigner } from "job-collector"

/** An event kind of your own: its stream, its schema, and the request that delivers it. */
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

/** The collector as a part of your app: it lives as long as the layer. */
export const makeCollector = (settings: { redisUrl: string; apiBaseUrl: string; privateKey: string }) =>
  JobCollector.layer({ apiBaseUrl: settings.apiBaseUrl, groupStartId: "0", kinds: [refunds] }).pipe(
    Layer.provide([
      layerIoRedis({ url: Redacted.make(settings.redisUrl) }),
      layerLeanHttpClient(),
      layerNativeSigner(Redacted.make(settings.privateKey))
    ])
  )

const program = Effect.gen(function* () {
  const collector = yield* JobCollector
  const { status } = yield* collector.health.report
  yield* Effect.logInfo(`the collector is ${status}`)
  return yield* collector.join
})

export const main = (settings: Parameters<typeof makeCollector>[0]) =>
  program.pipe(Effect.provide(makeCollector(settings)), NodeRuntime.runMain)
