/**
 * OpenTelemetry traces, metrics and logs by OTLP/HTTP with JSON bodies (contract section 2, `OTEL_*`), sent by Effect's
 * own exporters to `/v1/traces`, `/v1/metrics` and `/v1/logs` below the endpoint.
 *
 * Telemetry may be lost, the service may not be disturbed: a batch is tried four times a second apart, then its exporter
 * drops what it has and rests for a minute; requests end after ten seconds and their number is bounded.
 */
import { ConfigProvider, type Duration, Effect, Layer, Option, Random, Tracer } from "effect"
import * as Base64 from "effect/encoding/Base64"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpLogger from "effect/observability/OtlpLogger"
import * as OtlpMetrics from "effect/observability/OtlpMetrics"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import { exporterClient } from "./TelemetryClient.ts"

export interface TelemetryOptions {
  /** Base URL of the OTLP/HTTP receiver; without one nothing is exported and no exporter runs. */
  readonly endpoint?: string | undefined
  /** Share of new traces that is kept, 0 to 1. A span with a parent follows its parent's decision. */
  readonly tracesSampler: number
  readonly serviceName: string
  readonly serviceVersion: string
  /** Tells replicas apart, as `service.instance.id`. */
  readonly instanceId: string
  /** How long telemetry is gathered before it is sent. Default: logs 1 second, traces 5 seconds, metrics 10 seconds. */
  readonly exportInterval?: Duration.Input | undefined
  /** How long the last batch may take at the end; default 2 seconds. */
  readonly flushTimeout?: Duration.Input | undefined
}

const defaultFlushTimeout: Duration.Input = "2 seconds"

/** Keeps the share of new traces that is asked for. Children already carry their parent's decision in `sampled`. */
const sampling = (
  tracer: Tracer.Tracer,
  share: number,
  random: { readonly nextDoubleUnsafe: () => number }
): Tracer.Tracer => {
  if (share >= 1) return tracer
  return Tracer.make({
    ...tracer,
    span: (options) => {
      const decided = Option.isSome(options.parent) || !options.sampled
      return tracer.span(decided ? options : { ...options, sampled: random.nextDoubleUnsafe() < share })
    }
  })
}

/** A literal `%` in a password is no reason not to start. */
const percentDecoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** User and password of the URL go into a header, so that no error or log line can show them. */
const splitCredentials = (endpoint: string): { readonly url: string; readonly headers: Record<string, string> } => {
  const url = new URL(endpoint)
  if (url.username === "" && url.password === "") return { url: endpoint, headers: {} }
  const credentials = `${percentDecoded(url.username)}:${percentDecoded(url.password)}`
  url.username = ""
  url.password = ""
  return { url: url.href, headers: { authorization: `Basic ${Base64.encode(credentials)}` } }
}

/**
 * Installs the exporters, or nothing where there is no endpoint: spans then stay in-process objects that nobody keeps.
 * Its logger joins those it finds, so provide `Logging.layer` to it (`Layer.provideMerge`), and it to the program. What
 * is still buffered when the scope closes is sent then, within two seconds.
 */
export const layer = (options: TelemetryOptions): Layer.Layer<never> => {
  if (options.endpoint === undefined) return Layer.empty
  const { headers, url } = splitCredentials(options.endpoint)
  const base = HttpClientRequest.get(url)
  const signal = (name: string, interval: Duration.Input) => ({
    url: HttpClientRequest.appendUrl(base, `/v1/${name}`).url,
    headers,
    resource: {
      serviceName: options.serviceName,
      serviceVersion: options.serviceVersion,
      attributes: { "service.instance.id": options.instanceId }
    },
    exportInterval: options.exportInterval ?? interval,
    shutdownTimeout: options.flushTimeout ?? defaultFlushTimeout
  })
  const tracer = Layer.effect(
    Tracer.Tracer,
    Effect.gen(function* () {
      const otlp = yield* OtlpTracer.make(signal("traces", "5 seconds"))
      return sampling(otlp, options.tracesSampler, yield* Random.Random)
    })
  ).pipe(Layer.provide(OtlpExporter.layerFlusher))
  return Layer.mergeAll(
    OtlpLogger.layer(signal("logs", "1 second")),
    OtlpMetrics.layer(signal("metrics", "10 seconds")),
    tracer
  ).pipe(
    Layer.provide(OtlpSerialization.layerJson),
    Layer.provide(Layer.effect(HttpClient.HttpClient, exporterClient)),
    Layer.provide(FetchHttpClient.layer),
    // Effect's exporters would read further OTEL_* variables; only what the options say is to count.
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))
  )
}
