/** The library's front door: the collector as a Layer that another Effect app composes (contract section 9). */
import { Context, Effect, Layer } from "effect"
import type { HttpClient, HttpRouter } from "effect/http"
import { type CollectorOptions, defaultOptions } from "./domain/options.ts"
import * as EventStreamsLayer from "./layers/EventStreams.ts"
import * as HttpRoutes from "./layers/HttpRoutes.ts"
import * as JobsApiLayer from "./layers/JobsApi.ts"
import { type Collector, makeCollector } from "./programs/collector.ts"
import type { Redis } from "./services/Redis.ts"
import type { Signer } from "./services/Signer.ts"

/** What a composing app says: where the API is, and whatever differs from the defaults. */
export type JobCollectorOptions = Partial<CollectorOptions> & Pick<CollectorOptions, "apiBaseUrl">

/** A collector that runs for as long as its layer's scope. */
export class JobCollector extends Context.Service<JobCollector, Collector>()("job-collector/JobCollector") {
  /**
   * Runs the collector in the background of the app that composes it. It reads no environment, handles no signals, sets
   * no logger and opens no port. Closing the scope is a clean stop. `JobCollector.join` fails if it cannot go on.
   */
  static layer(options: JobCollectorOptions): Layer.Layer<JobCollector, never, Redis | HttpClient.HttpClient | Signer> {
    const resolved: CollectorOptions = { ...defaultOptions, ...options }
    const api = JobsApiLayer.layer({
      baseUrl: resolved.apiBaseUrl,
      serviceId: resolved.serviceId,
      timeout: resolved.apiTimeout
    })
    return Layer.effect(JobCollector, makeCollector(resolved)).pipe(
      Layer.provide(Layer.mergeAll(EventStreamsLayer.layer, api))
    )
  }

  /**
   * `GET /health`, `/health/live`, `/health/ready` and `/metrics` (contract section 8) on the host app's own `HttpRouter`.
   *
   * ```ts
   * const server = HttpRouter.serve(Layer.mergeAll(HostRoutes, JobCollector.routes))
   * ```
   */
  static readonly routes: Layer.Layer<never, never, JobCollector | HttpRouter.HttpRouter> = Layer.unwrap(
    Effect.map(JobCollector, ({ health }) => HttpRoutes.layer(health))
  )

  /** Fails when the running collector cannot go on. */
  static readonly join = Effect.flatMap(JobCollector, ({ join }) => join)
}
