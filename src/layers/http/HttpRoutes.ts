/** The health and metrics endpoints (contract section 8), mountable on any `HttpRouter`. */
import { Effect, Layer } from "effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
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

/** Below what path the routes are mounted; at the root by default. */
export interface Mount {
  readonly prefix?: `/${string}` | undefined
}

/** `GET /health` (503 where `down`), `/health/live` and `/health/ready` (503 where not). */
export const health = (
  source: HealthSource,
  { prefix }: Mount = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter> => {
  const path = `${prefix ?? ""}/health` as const
  return Layer.mergeAll(
    HttpRouter.add(
      "GET",
      path,
      Effect.map(source.report, (report) => answer(report, report.status !== "down"))
    ),
    HttpRouter.add(
      "GET",
      `${path}/live`,
      Effect.map(source.live, (liveness) => answer(liveness, liveness.live))
    ),
    HttpRouter.add(
      "GET",
      `${path}/ready`,
      Effect.map(source.ready, (readiness) => answer(readiness, readiness.ready))
    )
  )
}

/** `GET /metrics`: Prometheus text of all metrics in the ambient registry, the host app's own included. */
export const metrics = ({ prefix }: Mount = {}): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  PrometheusMetrics.layerHttp({ path: `${prefix ?? ""}/metrics` })
