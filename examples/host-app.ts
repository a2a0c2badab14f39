import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { Layer, Redacted, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { EventKind, JobCollector, layerLeanHttpClient, layerNativeSigner } from "job-collector"

/** Two kinds of events of the shop's own, each on a stream of its own. */
const kinds = ["refund", "shipment"].map((name) =>
  EventKind.make({
    name,
    stream: `shop:events:${name}`,
    schema: Schema.Struct({ event_id: Schema.NonEmptyString }),
    request: (event) => ({ path: `/api/${name}s`, body: event, idempotencyKey: event.event_id })
  })
)

export interface ShopSettings {
  readonly redisUrl: string
  readonly apiBaseUrl: string
  readonly privateKey: string
  readonly port: number
}

/** An app with a router and a Redis client of its own, and the collector as a part of it: its health is at /collector/health. */
export const shop = (settings: ShopSettings) => {
  // One connection for each stream (two kinds, the built-in two, the DLQ), and those that the app reserves itself.
  const redis = NodeRedis.layer({ url: settings.redisUrl, maxConnections: 10 })
  const collector = JobCollector.layer({ apiBaseUrl: settings.apiBaseUrl, groupStartId: "0", kinds }).pipe(
    Layer.provide([redis, layerLeanHttpClient(), layerNativeSigner(Redacted.make(settings.privateKey))])
  )
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/", HttpServerResponse.text("the shop is open")),
    JobCollector.healthRoutes({ prefix: "/collector" }),
    JobCollector.metricsRoutes({ prefix: "/collector" })
  )
  return HttpRouter.serve(routes).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port: settings.port })),
    Layer.provideMerge(collector)
  )
}
