/** The health and metrics endpoints (contract section 8), mountable on any `HttpRouter`. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import type { HealthReport, Liveness, Readiness } from "../../domain/options/health.ts"

/** Where the answers come from. */
export interface HealthSource {
  readonly report: Effect.Effect<HealthReport>
  readonly ready: Effect.Effect<Readiness>
  readonly live: Effect.Effect<Liveness>
}

const noStore = { "cache-control": "no-store" }

const answer = (body: unknown, good: boolean) =>
  HttpServerResponse.jsonUnsafe(body, { status: good ? 200 : 503, headers: noStore })

/**
 * `GET /health` (503 where `down`), `/health/live` and `/health/ready` (503 where not), and `/metrics`: Prometheus text of
 * all metrics in the ambient registry, the host app's own included.
 */
export const layer = (health: HealthSource): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.mergeAll(
    HttpRouter.add(
      "GET",
      "/health",
      Effect.map(health.report, (report) => answer(report, report.status !== "down"))
    ),
    HttpRouter.add(
      "GET",
      "/health/live",
      Effect.map(health.live, (liveness) => answer(liveness, liveness.live))
    ),
    HttpRouter.add(
      "GET",
      "/health/ready",
      Effect.map(health.ready, (readiness) => answer(readiness, readiness.ready))
    ),
    PrometheusMetrics.layerHttp({ path: "/metrics" })
  )
