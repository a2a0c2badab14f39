import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import {
  type Collector,
  EventKind,
  JobCollector,
  layerIoRedis,
  layerLeanHttpClient,
  layerNativeSigner
} from "job-collector"

/** The collector of transcriptions and answers. Each collector has a key of its own; `name` labels its metrics. */
export class Jobs extends Context.Service<Jobs, Collector>()("app/Jobs") {
  static readonly layer = (apiBaseUrl: string) =>
    Layer.effect(Jobs, JobCollector).pipe(
      Layer.provide(JobCollector.layer({ name: "jobs", apiBaseUrl, groupStartId: "0" }))
    )
}

/** The collector of refunds: another API, streams of its own, and none of the built-in kinds. */
export class Refunds extends Context.Service<Refunds, Collector>()("app/Refunds") {
  static readonly layer = (apiBaseUrl: string) =>
    Layer.effect(Refunds, JobCollector).pipe(
      Layer.provide(
        JobCollector.layer({
          name: "refunds",
          apiBaseUrl,
          groupStartId: "0",
          streams: [
            { transcribe: "shop:none:1", process: "shop:none:2", dlq: "shop:dlq", abandoned: "shop:abandoned" }
          ],
          kinds: [
            EventKind.make({
              name: "refund",
              stream: "shop:refunds",
              schema: Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString }),
              request: (refund) => ({ path: "/api/refunds", body: refund, idempotencyKey: refund.event_id })
            })
          ],
          builtInKinds: false,
          apiProbe: false
        })
      )
    )
}

/** The app ends when the first of the two does. */
export const program = Effect.gen(function* () {
  const jobs = yield* Jobs
  const refunds = yield* Refunds
  return yield* Effect.raceFirst(jobs.join, refunds.join)
})

export const main = (settings: { redisUrl: string; jobsUrl: string; shopUrl: string; privateKey: string }) =>
  program.pipe(
    Effect.provide([Jobs.layer(settings.jobsUrl), Refunds.layer(settings.shopUrl)]),
    Effect.provide([
      layerIoRedis({ url: Redacted.make(settings.redisUrl) }),
      layerLeanHttpClient(),
      layerNativeSigner(Redacted.make(settings.privateKey))
    ]),
    NodeRuntime.runMain
  )
