/** The HTTP client of the telemetry exporters: a time limit, a bound on requests under way, one warning an outage. */
import { Clock, Effect } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"

const requestTimeout = "10 seconds"
const maxRequests = 8
/** A receiver that comes and goes is reported this often at most, in milliseconds. */
const reportInterval = 300_000

interface ChangeSignal {
  failingSince: number | undefined
  reportedAt: number
}

const reasonOf = (error: HttpClientError.HttpClientError): string => {
  const reason = error.reason
  if (reason._tag === "StatusCodeError") return `HTTP ${reason.response.status}`
  return reason.description ?? reason._tag
}

/** Says once that a signal (one URL each) no longer gets through, and once that it does again. */
const makeReporter = () => {
  const signals = new Map<string, ChangeSignal>()
  const signalOf = (url: string): ChangeSignal => {
    const known = signals.get(url)
    if (known !== undefined) return known
    const made: ChangeSignal = { failingSince: undefined, reportedAt: Number.NEGATIVE_INFINITY }
    signals.set(url, made)
    return made
  }
  return {
    failed: Effect.fnUntraced(function* (url: string, reason: string) {
      const signal = signalOf(url)
      if (signal.failingSince !== undefined) return
      const now = yield* Clock.currentTimeMillis
      signal.failingSince = now
      if (now - signal.reportedAt < reportInterval) return
      signal.reportedAt = now
      yield* Effect.logWarning("telemetry.export_failing").pipe(Effect.annotateLogs({ url, reason }))
    }),
    succeeded: Effect.fnUntraced(function* (url: string) {
      const signal = signalOf(url)
      const since = signal.failingSince
      if (since === undefined) return
      signal.failingSince = undefined
      if (signal.reportedAt !== since) return
      const seconds = ((yield* Clock.currentTimeMillis) - since) / 1_000
      yield* Effect.logInfo("telemetry.export_recovered").pipe(Effect.annotateLogs({ url, seconds }))
    })
  }
}

/**
 * Wraps the ambient client. Beyond the bound a request fails at once and not as a transport error: those are tried
 * again, and their batches would pile up behind a receiver that is slow.
 */
export const exporterClient: Effect.Effect<HttpClient.HttpClient, never, HttpClient.HttpClient> = Effect.gen(
  function* () {
    const client = yield* HttpClient.HttpClient
    const report = makeReporter()
    let requests = 0
    return HttpClient.transform(client, (response, request) => {
      const timed = Effect.timeoutOrElse(response, {
        duration: requestTimeout,
        orElse: () =>
          Effect.fail(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.TransportError({ request, description: "timed out" })
            })
          )
      })
      const bounded = Effect.suspend(() => {
        if (requests >= maxRequests) {
          return Effect.fail(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.EncodeError({ request, description: "too many exports under way" })
            })
          )
        }
        requests += 1
        return Effect.ensuring(
          timed,
          Effect.sync(() => {
            requests -= 1
          })
        )
      })
      return bounded.pipe(
        Effect.tap((answer) =>
          answer.status < 300 ? report.succeeded(request.url) : report.failed(request.url, `HTTP ${answer.status}`)
        ),
        Effect.tapError((error) => report.failed(request.url, reasonOf(error)))
      )
    })
  }
)
