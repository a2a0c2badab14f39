import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Deferred, Duration, Effect, Layer, type LogLevel, Option, Schema } from "effect"
import { GlobalFlag } from "effect/cli"
import { HttpMiddleware, HttpRouter, HttpServer } from "effect/http"
import { JobCollector } from "../JobCollector.ts"
import * as AlertWebhookLayer from "../layers/alerts/AlertWebhook.ts"
import * as NodeGateway from "../layers/gateway/NodeGateway.ts"
import * as LeanHttpClient from "../layers/http/LeanHttpClientLayer.ts"
import { createPatientServer } from "../layers/http/PatientServer.ts"
import { hostName, version } from "../layers/node/Host.ts"
import * as NodeProcesses from "../layers/node/NodeProcesses.ts"
import * as ProcessMetrics from "../layers/node/ProcessMetrics.ts"
import * as EventStreamsLayer from "../layers/redis/EventStreams.ts"
import * as MemoryRedis from "../layers/redis/memory/MemoryRedis.ts"
import * as Environment from "../layers/settings/Environment.ts"
import * as Logging from "../layers/telemetry/Logging.ts"
import * as Telemetry from "../layers/telemetry/Telemetry.ts"
import { redisFollowing, signerFollowing } from "./followSecrets.ts"
import { outputMayFail } from "./lostOutput.ts"
import { stopDeadline, stopSignal } from "./stopDeadline.ts"

const settingsOf = Effect.flatMap(hostName, (host) =>
  Environment.load(
    Environment.all({
      redis: Environment.redis,
      collector: Environment.collector(host),
      apiClient: Environment.apiClient,
      gateway: Environment.gateway,
      signing: Environment.signing,
      http: Environment.http,
      console: Environment.operatorConsole,
      folder: Environment.configFolder,
      logging: Environment.logging,
      telemetry: Environment.telemetry,
      exposure: Environment.exposure
    })
  )
)

type Settings = Effect.Success<typeof settingsOf>["settings"]

const redisLayer = ({ redis }: Settings) =>
  redis._tag === "Memory" ? MemoryRedis.layer : redisFollowing(redis.options)

const clientOptions = ({ apiClient, collector }: Settings): LeanHttpClient.Options => ({
  /** Requests to the API at a time: deliveries, configuration sync and a health probe. */
  connections: collector.deliveryConcurrency + 2,
  /** `API_TIMEOUT` counts from here on; it is to end a request, not this. */
  connectTimeout: Duration.sum(collector.apiTimeout, Duration.seconds(1)),
  ...apiClient
})

/** Whether the two keys belong together is known only to the signer. */
const signer = ({ signing: { privateKey, publicKey } }: Settings) =>
  signerFollowing(privateKey, { publicKey }).pipe(
    Layer.catchTag("SignerError", ({ problem }) => {
      const variable = publicKey === undefined ? "ED25519_PRIVATE_KEY" : "ED25519_PRIVATE_KEY, ED25519_PUBLIC_KEY"
      return Layer.effectContext(new Environment.SettingsError({ problems: [{ variable, problem }] }))
    })
  )

/** Alerts go out directly: proxy, certificates and headers are for the API. */
const webhook = ({ collector: { alerts, serviceId } }: Settings) =>
  alerts === undefined
    ? Layer.empty
    : AlertWebhookLayer.layer({ url: alerts.url, serviceId }).pipe(Layer.provide(LeanHttpClient.layer()))

const serviceLayer = (settings: Settings) =>
  Layer.mergeAll(
    redisLayer(settings),
    Layer.provideMerge(webhook(settings), signer(settings)),
    ProcessMetrics.figures,
    // The proxy is to the API; the gateway is near.
    NodeGateway.layer({ ...settings.gateway, environment: process.env }).pipe(Layer.provide(LeanHttpClient.layer()))
  ).pipe(
    Layer.provideMerge(LeanHttpClient.layer(clientOptions(settings))),
    Layer.provideMerge(NodeProcesses.layer),
    Layer.provideMerge(NodeServices.layer)
  )

/** The endpoints cannot be served. */
class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", { problem: Schema.String }) {
  override get message(): string {
    return `HTTP_HOST, HTTP_PORT: ${this.problem}; choose another address, or port 0 for any free one`
  }
}

const listening = ({ http: { host, port } }: Settings) =>
  NodeHttpServer.layer(createPatientServer, { host, port }).pipe(
    Layer.catchTag("ServeError", ({ cause }) => {
      const problem = cause instanceof Error ? cause.message : `cannot listen on ${host}:${port}`
      return Layer.effectContext(new CannotListen({ problem }))
    })
  )

/** The endpoints are asked too often to be worth a log line or a span each. */
const endpoints = HttpRouter.serve(JobCollector.routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true))
)

/** The console beside the service, on a connection of its own: what it looks through holds up no delivery. */
const operatorConsole = (settings: Settings) =>
  settings.console.enabled
    ? Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("./consoleServing.ts")),
          ({ consoleLayer }) =>
            consoleLayer(settings.console, settings.collector, settings.folder).pipe(
              Layer.provide(Layer.fresh(EventStreamsLayer.layer)),
              Layer.provide(redisLayer(settings)),
              Layer.provide(NodeServices.layer)
            )
        )
      )
    : Layer.empty

/** The service: all loops and the HTTP endpoints, until it is stopped. */
const serve = Effect.fnUntraced(function* (settings: Settings) {
  const ending = yield* Deferred.make<void>()
  let unfinished: () => ReadonlyArray<string> = () => []
  yield* stopDeadline(Effect.raceFirst(stopSignal, Deferred.await(ending)), {
    shutdownTimeout: settings.collector.shutdownTimeout,
    unfinished: () => unfinished(),
    end: Effect.sync(() => process.exit(1))
  }).pipe(Effect.forkDetach({ startImmediately: true }))
  return yield* Effect.gen(function* () {
    const collector = yield* JobCollector
    unfinished = collector.unfinished
    const server = yield* HttpServer.HttpServer
    yield* Effect.logInfo("listening").pipe(Effect.annotateLogs({ address: HttpServer.formatAddress(server.address) }))
    return yield* collector.join.pipe(
      Effect.ensuring(Deferred.succeed(ending, undefined)),
      // The endpoints go on answering (not ready) until the collector has stopped.
      Effect.onInterrupt(() => collector.stop)
    )
  }).pipe(
    Effect.provide(
      endpoints.pipe(
        Layer.provideMerge(
          Layer.mergeAll(
            JobCollector.layer(settings.collector).pipe(Layer.provide(serviceLayer(settings))),
            listening(settings),
            operatorConsole(settings),
            ProcessMetrics.layer
          )
        )
      )
    )
  )
})

/** `--log-level` goes before `LOG_LEVEL`. */
const observability = ({ collector, logging, telemetry }: Settings, level: Option.Option<LogLevel.LogLevel>) =>
  Telemetry.layer({
    endpoint: telemetry.endpoint,
    tracesSampler: telemetry.tracesSampler,
    serviceName: collector.serviceId,
    serviceVersion: version,
    instanceId: collector.consumerName
  }).pipe(Layer.provideMerge(Logging.layer({ ...logging, level: Option.getOrElse(level, () => logging.level) })))

/** `job-collector run`: the service. */
export const run = Effect.gen(function* () {
  const { settings, warnings } = yield* settingsOf
  const warn = Effect.forEach(
    warnings,
    (warning) => Effect.logWarning("settings.warning").pipe(Effect.annotateLogs({ problem: warning })),
    { discard: true }
  )
  const level = yield* GlobalFlag.LogLevel
  yield* outputMayFail
  // A terminal that goes away is no reason to end; that files are looked at is followSecrets.ts's.
  process.on("SIGHUP", () => {})
  return yield* Effect.andThen(warn, serve(settings)).pipe(Effect.provide(observability(settings, level)))
})
