/** The wire to an API under test, on `node:http`: it tells which connection an answer came over. */
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http"
import { Agent as HttpsAgent, request as requestHttps } from "node:https"
import { Duration, Effect, Layer, Redacted } from "effect"
import { ApiWire, type WireAnswer, WireError, type WireRequest } from "../../services/ApiWire.ts"
import type { Options as ClientOptions } from "./LeanHttpClient.ts"

export interface Options extends Pick<ClientOptions, "headers" | "tlsCa" | "tlsClient"> {
  readonly baseUrl: string
  /** One request, connect to last byte; a slow one's pauses are added. */
  readonly timeout: Duration.Duration
}

const maxAnswerBytes = 16 * 1024 * 1024

const failing = (error: Error & { readonly code?: string }): WireError =>
  new WireError({ problem: error.message === "" ? (error.code ?? error.name) : error.message })

/** Sends the body, at once or in pieces. */
const write = (request: ClientRequest, { body, slowly }: WireRequest): void => {
  if (slowly === undefined) return void request.end(body)
  request.flushHeaders()
  const size = Math.ceil(body.length / slowly.pieces)
  const next = (from: number): void => {
    if (request.destroyed) return
    request.write(body.subarray(from, from + size))
    if (from + size >= body.length) request.end()
    else setTimeout(next, Duration.toMillis(slowly.pause), from + size)
  }
  setTimeout(next, Duration.toMillis(slowly.pause), 0)
}

const headersOf = (response: IncomingMessage): WireAnswer["headers"] =>
  Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value])
  )

const tlsOf = ({ tlsCa, tlsClient }: Options) => ({
  ...(tlsCa === undefined ? undefined : { ca: tlsCa }),
  ...(tlsClient === undefined ? undefined : { cert: tlsClient.certificate, key: Redacted.value(tlsClient.key) })
})

export const layer = (options: Options): Layer.Layer<ApiWire> =>
  Layer.effect(
    ApiWire,
    Effect.gen(function* () {
      const { baseUrl, timeout } = options
      const added = options.headers === undefined ? {} : Redacted.value(options.headers)
      const secure = baseUrl.startsWith("https:")
      const agent = yield* Effect.acquireRelease(
        Effect.sync(() =>
          secure ? new HttpsAgent({ keepAlive: true, ...tlsOf(options) }) : new HttpAgent({ keepAlive: true })
        ),
        (used) => Effect.sync(() => used.destroy())
      )
      const open = secure ? requestHttps : requestHttp

      const once = (outgoing: WireRequest) =>
        Effect.callback<WireAnswer, { readonly error: Error & { code?: string }; readonly reused: boolean }>(
          (resume) => {
            const { body, headers, method, path } = outgoing
            const length = method === "POST" ? { "content-length": `${body.length}` } : {}
            const request = open(`${baseUrl}${path}`, { agent, method, headers: { ...added, ...headers, ...length } })
            const fail = (error: Error) => resume(Effect.fail({ error, reused: request.reusedSocket }))
            request.on("error", fail)
            request.on("response", (response) => {
              const chunks: Array<Buffer> = []
              let size = 0
              response.on("data", (chunk: Buffer) => {
                size += chunk.length
                if (size > maxAnswerBytes)
                  request.destroy(new Error(`its answer is larger than ${maxAnswerBytes} bytes`))
                else chunks.push(chunk)
              })
              response.on("error", fail)
              response.on("end", () => {
                const answer = { status: response.statusCode ?? 0, headers: headersOf(response) }
                resume(Effect.succeed({ ...answer, body: Buffer.concat(chunks), reused: request.reusedSocket }))
              })
            })
            write(request, outgoing)
            return Effect.sync(() => request.destroy())
          }
        )

      const send = Effect.fnUntraced(function* (request: WireRequest) {
        const { slowly } = request
        const pauses = slowly === undefined ? 0 : slowly.pieces * Duration.toMillis(slowly.pause)
        const limit = Duration.sum(timeout, Duration.millis(pauses))
        return yield* once(request).pipe(
          // The server had closed the connection while nothing was under way, and has not seen the request.
          Effect.retry({ times: 1, while: ({ error, reused }) => reused && error.code === "ECONNRESET" }),
          Effect.mapError(({ error }) => failing(error)),
          Effect.timeoutOrElse({
            duration: limit,
            orElse: () => Effect.fail(new WireError({ problem: `no whole answer within ${Duration.format(limit)}` }))
          })
        )
      })

      return ApiWire.of({ send })
    })
  )
