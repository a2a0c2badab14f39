import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import {
  Environment,
  JobCollector,
  layerIoRedis,
  layerLeanHttpClient,
  layerMemoryRedis,
  layerNativeSigner
} from "job-collector"

/** The service in twenty lines: settings from the environment, health and metrics over HTTP, until SIGTERM. */
const service = Effect.gen(function* () {
  const { http, redis, signing } = Environment
  const { settings } = yield* Environment.load(Environment.all({ http, redis, signing }))
  const parts = Layer.mergeAll(
    settings.redis._tag === "Memory" ? layerMemoryRedis : layerIoRedis(settings.redis.options),
    layerLeanHttpClient(),
    layerNativeSigner(settings.signing.privateKey, settings.signing)
  )
  return HttpRouter.serve(JobCollector.routes).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, settings.http)),
    Layer.provideMerge(JobCollector.layerConfig),
    Layer.provide(parts)
  )
})

JobCollector.join.pipe(Effect.provide(Layer.unwrap(service)), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
