/** The library's front door: the collector as a Layer that another Effect app composes (contract section 9). */
import { Context, Effect, type FileSystem, Layer, Metric, Option, Stream } from "effect"
import type { Command } from "effect/cli"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpRouter from "effect/http/HttpRouter"
import type { CommandFailed } from "./cli/hostCommandLine.ts"
import { type EventKind, withServices } from "./domain/events/eventKind.ts"
import { withoutRequests } from "./domain/events/hostKinds.ts"
import type { ConfigSyncOptions } from "./domain/gatewayConfig/options.ts"
import { type GivenConfigSync, type GivenOptions, resolveOptions } from "./domain/options/givenOptions.ts"
import type { CollectorOptions } from "./domain/options/options.ts"
import { OptionsError } from "./domain/options/optionsCheck.ts"
import * as AlertWebhookLayer from "./layers/alerts/AlertWebhook.ts"
import * as FileConfigStore from "./layers/gatewayConfig/FileConfigStore.ts"
import type * as HttpRoutes from "./layers/http/HttpRoutes.ts"
import * as JobsApiLayer from "./layers/jobsApi/JobsApi.ts"
import { hostName, version } from "./layers/node/Host.ts"
import * as EventStreamsLayer from "./layers/redis/EventStreams.ts"
import * as Environment from "./layers/settings/Environment.ts"
import { type Collector, makeCollector } from "./programs/collector.ts"
import * as ConfigSync from "./programs/gatewayConfig/configSync.ts"
import { AlertWebhook } from "./services/AlertWebhook.ts"
import { Gateway } from "./services/Gateway.ts"
import type { Redis } from "./services/Redis.ts"
import type { Signer } from "./services/Signer.ts"

/**
 * What a composing app says: where the API is, and whatever differs from the defaults (see {@link CollectorOptions}). What is
 * `undefined` counts as left out, and a duration may be any `Duration.Input`. `R` is what the requests of its own kinds need.
 */
export type JobCollectorOptions<R = never> = GivenOptions<R>

/** The same with configuration sync, which needs a `FileSystem`. */
export type JobCollectorOptionsWithConfigSync<R = never> = JobCollectorOptions<R> & {
  readonly configSync: GivenConfigSync
}

/** What a host app's command line differs in from the service's. */
export interface CommandLineOptions {
  /** The name that its help shows; default `job-collector`. */
  readonly name?: string | undefined
  /** Whether the app reads the two built-in kinds as well; default true. */
  readonly builtInKinds?: boolean | undefined
}

/** What every collector needs; configuration sync needs a `FileSystem` as well. */
type Needs = Redis | HttpClient.HttpClient | Signer

/** Read when they are mounted: an HTTP server is a tenth of what this package would load. */
const httpRoutes = Effect.promise(() => import("./layers/http/HttpRoutes.ts"))

/** Read when it is called: the commands are more than the collector. */
const commandLine = Effect.promise(() => import("./cli/hostCommandLine.ts"))

const syncOf = Effect.fnUntraced(function* (options: ConfigSyncOptions, tell: ConfigSync.Tell) {
  const gateway = Option.getOrElse(yield* Effect.serviceOption(Gateway), () => Gateway.none)
  return yield* Effect.provideService(ConfigSync.make(options, tell), Gateway, gateway)
})

/** Over the host's own `HttpClient`, unless it gives a webhook. */
const webhookOf = ({ alerts, serviceId }: CollectorOptions) =>
  alerts === undefined
    ? Layer.empty
    : Layer.unwrap(
        Effect.map(Effect.serviceOption(AlertWebhook), (given) =>
          Option.match(given, {
            onSome: (webhook) => Layer.succeed(AlertWebhook, webhook),
            onNone: () => AlertWebhookLayer.layer({ url: alerts.url, serviceId })
          })
        )
      )

const collectorOf = (options: CollectorOptions): Layer.Layer<JobCollector, never, Needs | FileSystem.FileSystem> => {
  const { apiBaseUrl: baseUrl, apiTimeout: timeout, configSync, serviceId, signatureSchemes } = options
  const collector =
    configSync === undefined
      ? Layer.effect(
          JobCollector,
          makeCollector(options, version, () => Effect.undefined)
        )
      : Layer.effect(
          JobCollector,
          makeCollector(options, version, (tell) => syncOf(configSync, tell))
        ).pipe(Layer.provide(FileConfigStore.layer(configSync)))
  const { name } = options
  const labelled =
    name === undefined
      ? collector
      : Layer.provide(
          collector,
          Layer.effect(
            Metric.CurrentMetricAttributes,
            Effect.map(Metric.CurrentMetricAttributes, (given) => ({ ...given, collector: name }))
          )
        )
  return labelled.pipe(
    Layer.provide(
      Layer.mergeAll(
        EventStreamsLayer.layer,
        webhookOf(options),
        JobsApiLayer.layer({ baseUrl, serviceId, signatureSchemes, timeout })
      )
    )
  )
}

/**
 * A collector that runs for as long as its layer's scope: the service itself is a {@link Collector}, with `ready`, `health`,
 * `events`, `stop`, `join`; the traffic of every replica: `pause`, `resume`, `limit`, `park`, `unpark` and `rules`; and the events
 * that failed: `redrive`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { JobCollector } from "job-collector"
 *
 * // No delivery begins while `migrate` runs, by any replica; for half an hour at most.
 * export const pausedFor = <A, E, R>(migrate: Effect.Effect<A, E, R>) =>
 *   Effect.flatMap(JobCollector, ({ pause, resume }) =>
 *     Effect.acquireUseRelease(
 *       pause({ duration: "30 minutes", why: "migration" }),
 *       // Every replica has heard of it within two seconds.
 *       () => Effect.delay(migrate, "2 seconds"),
 *       () => Effect.ignore(resume())
 *     )
 *   )
 * ```
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { JobCollector } from "job-collector"
 *
 * // Puts back what was given up while the API answered 422, and says how many it were.
 * export const putBack = Effect.gen(function* () {
 *   const { redrive } = yield* JobCollector
 *   const { done } = yield* redrive.replay({ filters: { errorCodes: ["HTTP_422"] }, why: "API mended" })
 *   yield* Effect.logInfo(`${done} events were put back`)
 * })
 * ```
 */
export class JobCollector extends Context.Service<JobCollector, Collector>()("job-collector/JobCollector") {
  /**
   * Runs the collector in the background of the app that composes it. It reads no environment, handles no signals, sets
   * no logger and opens no port. Building the layer does not wait for Redis or the API. Closing the scope is a clean stop.
   *
   * Fails with {@link OptionsError}, which names every option that is wrong, before anything is started. What ends a running
   * collector is the failure of {@link JobCollector.join}.
   *
   * With `configSync` it keeps the gateway's files as well; then it needs a `FileSystem`, and tells the `Gateway` that is
   * provided to it, if any.
   *
   * @example
   * ```ts
   * import { Layer, Redacted } from "effect"
   * import { JobCollector, layerIoRedis, layerLeanHttpClient, layerNativeSigner } from "job-collector"
   *
   * export const makeCollector = (privateKey: Redacted.Redacted<string>) =>
   *   JobCollector.layer({ apiBaseUrl: "https://api.example.com", deliveryConcurrency: 32 }).pipe(
   *     Layer.provide([
   *       layerIoRedis({ url: Redacted.make("redis://127.0.0.1:6379") }),
   *       layerLeanHttpClient(),
   *       layerNativeSigner(privateKey)
   *     ])
   *   )
   * ```
   */
  static layer<R = never>(
    options: JobCollectorOptions<R> & { readonly configSync?: undefined }
  ): Layer.Layer<JobCollector, OptionsError, Needs | R>
  static layer<R = never>(
    options: JobCollectorOptionsWithConfigSync<R>
  ): Layer.Layer<JobCollector, OptionsError, Needs | R | FileSystem.FileSystem>
  static layer<R = never>(
    options: JobCollectorOptions<R> & { readonly configSync?: GivenConfigSync | undefined }
  ): Layer.Layer<JobCollector, OptionsError, Needs | R | FileSystem.FileSystem>
  static layer<R = never>(
    options: JobCollectorOptions<R> & { readonly configSync?: GivenConfigSync | undefined }
  ): Layer.Layer<JobCollector, OptionsError, Needs | R | FileSystem.FileSystem> {
    return Layer.unwrap(
      Effect.contextWith((services: Context.Context<R>) => {
        const { options: all, problems } = resolveOptions(options)
        if (problems.length > 0) return Effect.fail(new OptionsError({ problems }))
        return Effect.succeed(
          collectorOf({ ...all, kinds: (options.kinds ?? []).map((kind) => withServices(kind, services)) })
        )
      })
    )
  }

  /**
   * The same with the options read from the environment (contract section 2) through the ambient `ConfigProvider`. Redis, the
   * HTTP client and the signer are the app's to provide; {@link Environment} reads their settings.
   *
   * Fails with `Environment.SettingsError`, which names every variable that is wrong.
   *
   * @example
   * ```ts
   * import { Effect, Layer } from "effect"
   * import { Environment, JobCollector, layerLeanHttpClient, layerNativeSigner } from "job-collector"
   *
   * const signer = Layer.unwrap(
   *   Effect.map(Environment.load(Environment.signing), ({ settings }) =>
   *     layerNativeSigner(settings.privateKey, { publicKey: settings.publicKey })
   *   )
   * )
   *
   * // Still needs a `Redis`, and a `FileSystem` for the files that settings name.
   * export const collector = JobCollector.layerConfig.pipe(Layer.provide([layerLeanHttpClient(), signer]))
   * ```
   */
  static readonly layerConfig: Layer.Layer<JobCollector, Environment.SettingsError, Needs | FileSystem.FileSystem> =
    Layer.unwrap(
      Effect.gen(function* () {
        const { settings } = yield* Environment.load(Environment.collector(yield* hostName))
        return collectorOf(settings)
      })
    )

  /**
   * `GET /health`, `/health/live`, `/health/ready` and `/metrics` (contract section 8) on the host app's own `HttpRouter`.
   * {@link JobCollector.healthRoutes} and {@link JobCollector.metricsRoutes} are the two parts of it.
   *
   * @example
   * ```ts
   * import { Layer } from "effect"
   * import { HttpRouter, HttpServerResponse } from "effect/http"
   * import { JobCollector } from "job-collector"
   *
   * const ownRoutes = HttpRouter.add("GET", "/", HttpServerResponse.text("hello"))
   *
   * // Needs an `HttpServer`, and the `JobCollector` whose health it shows.
   * export const server = HttpRouter.serve(Layer.mergeAll(ownRoutes, JobCollector.routes))
   * ```
   */
  static readonly routes: Layer.Layer<never, never, JobCollector | HttpRouter.HttpRouter> = Layer.suspend(() =>
    Layer.mergeAll(JobCollector.healthRoutes(), JobCollector.metricsRoutes())
  )

  /**
   * The three health routes alone, below a `prefix` if one is given; they can be mounted more than once.
   *
   * @example
   * ```ts
   * import { Layer } from "effect"
   * import { PrometheusMetrics } from "effect/observability"
   * import { JobCollector } from "job-collector"
   *
   * // An app that serves its metrics already, the collector's among them.
   * export const routes = Layer.mergeAll(
   *   PrometheusMetrics.layerHttp(),
   *   JobCollector.healthRoutes({ prefix: "/collector" })
   * )
   * ```
   */
  static healthRoutes(mount?: HttpRoutes.Mount): Layer.Layer<never, never, JobCollector | HttpRouter.HttpRouter> {
    return Layer.unwrap(Effect.zipWith(JobCollector, httpRoutes, ({ health }, routes) => routes.health(health, mount)))
  }

  /** `GET /metrics` alone, likewise: the ambient registry's metrics, which are the app's own as well. */
  static metricsRoutes(mount?: HttpRoutes.Mount): Layer.Layer<never, never, HttpRouter.HttpRouter> {
    return Layer.unwrap(Effect.map(httpRoutes, (routes) => routes.metrics(mount)))
  }

  /**
   * Waits until the running collector is ready: Redis answers, every stream is being read, and the key signs. Fails where it ends
   * before that.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { JobCollector } from "job-collector"
   *
   * export const started = JobCollector.ready.pipe(
   *   Effect.timeout("1 minute"),
   *   Effect.as("events are being delivered")
   * )
   * ```
   */
  static readonly ready = Effect.flatMap(JobCollector, ({ ready }) => ready)

  /**
   * What happens in the running collector, as a stream of tagged values ({@link Happening}) that ends with it. It never slows a
   * delivery: who is too slow is told by a `Missed` how many were dropped.
   *
   * @example
   * ```ts
   * import { Effect, Metric, Stream } from "effect"
   * import { JobCollector } from "job-collector"
   *
   * const refunds = Metric.counter("refunds_delivered", { incremental: true })
   *
   * export const counting = Stream.runForEach(JobCollector.events, (happening) =>
   *   happening._tag === "Delivered" && happening.kind === "refund" ? Metric.update(refunds, 1) : Effect.void
   * )
   * ```
   */
  static readonly events = Stream.unwrap(Effect.map(JobCollector, ({ events }) => events))

  /**
   * Waits for the end of the running collector, and succeeds once it was stopped. Fails with `RedisRefused` where Redis refuses the
   * credentials, with `TooManyDefects` after five defects within a minute.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { JobCollector } from "job-collector"
   *
   * export const program = JobCollector.join.pipe(
   *   Effect.tapError((error) => Effect.logFatal(`the collector has ended: ${error.message}`))
   * )
   * ```
   */
  static readonly join = Effect.flatMap(JobCollector, ({ join }) => join)

  /**
   * The command line of an app with kinds of its own, run with the process's arguments: every command of `job-collector` but
   * `run` and `console`, with the settings that those take from the environment (contract section 2). It sees the streams of these kinds,
   * replays their events into them, and `lint` holds events against their schemas. No request is made by it.
   *
   * What a command says of a failure it has printed when this fails with `CommandFailed`. Kinds that
   * {@link JobCollector.layer} would refuse fail with {@link OptionsError}.
   *
   * @example
   * ```ts
   * import * as NodeServices from "@effect/platform-node/NodeServices"
   * import { Effect } from "effect"
   * import { EventKind, JobCollector } from "job-collector"
   *
   * export const commands = (kinds: ReadonlyArray<EventKind.EventKind>) =>
   *   JobCollector.cli(kinds, { name: "shop" }).pipe(Effect.provide(NodeServices.layer))
   * ```
   */
  static cli(
    kinds: ReadonlyArray<EventKind<unknown>>,
    { builtInKinds = true, name = "job-collector" }: CommandLineOptions = {}
  ): Effect.Effect<void, CommandFailed | OptionsError, Command.Environment> {
    return Effect.suspend((): Effect.Effect<void, CommandFailed | OptionsError, Command.Environment> => {
      // The kinds are held against the collector's own rules; its other options have no part in it.
      const { problems } = resolveOptions({ apiBaseUrl: "http://127.0.0.1", builtInKinds, kinds })
      if (problems.length > 0) return Effect.fail(new OptionsError({ problems }))
      const known = { builtInKinds, kinds: kinds.map(withoutRequests) }
      return Effect.flatMap(commandLine, ({ hostCommandLine }) => hostCommandLine(name, known))
    })
  }
}
