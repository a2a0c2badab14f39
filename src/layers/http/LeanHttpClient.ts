/**
 * An `HttpClient` over undici's `dispatch` that costs little per request: no AbortController, URL, span or stream object
 * is made for a request that does not need one. Node only.
 *
 * What differs from Effect's generic undici client: a response is complete when it arrives, its body has a size limit
 * (see {@link BodyTooLarge}), and connections cannot be upgraded. Neither client follows redirects.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Data, Duration, Effect, type Fiber, Layer, Option, Redacted, Tracer } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
// By its file: Bun has something of its own in place of `undici`, without dispatchers.
import { Agent, type buildConnector, Client, type Dispatcher, Pool, ProxyAgent } from "undici/index.js"
import { InterimAnswers } from "./interimAnswers.ts"
import { LeanHttpResponse } from "./LeanHttpResponse.ts"

/** Options of the client; times are durations, sizes bytes. */
export interface Options {
  /** The most connections to one origin: at least the requests wanted in flight, others wait. Default 128. */
  readonly connections?: number | undefined
  /**
   * The longest response body, in bytes; a fiber's `HttpIncomingMessage.MaxBodySize` goes before it. Default 1 MiB.
   */
  readonly maxBodyBytes?: number | undefined
  /** How long a connection may take to be made, TLS included. Default 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Certificates (PEM) of authorities to trust instead of the system's. */
  readonly tlsCa?: string | undefined
  /** What the client shows a server that asks: a certificate with its chain, and its private key (PEM). No proxy is shown it. */
  readonly tlsClient?: { readonly certificate: string; readonly key: Redacted.Redacted<string> } | undefined
  /** Headers of every request, their names in lower case, that do not have it themselves. */
  readonly headers?: Redacted.Redacted<Readonly<Record<string, string>>> | undefined
  /**
   * An HTTP or HTTPS proxy through which all requests go, in a tunnel (CONNECT) each connection; user and password may stand in the
   * URL. The environment's proxy variables are not read. What goes wrong at the proxy fails with a message that says so.
   */
  readonly proxyUrl?: Redacted.Redacted<URL> | undefined
}

/** The cause of the `DecodeError` of a response whose body is longer than allowed. The connection was closed. */
export class BodyTooLarge extends Data.TaggedError("BodyTooLarge")<{ readonly maxBytes: number }> {
  override get message(): string {
    return `the body is larger than ${this.maxBytes} bytes`
  }
}

type ClientFiber = Fiber.Fiber<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

/** A URL as undici takes it. */
interface Target {
  readonly href: string
  readonly origin: string
  readonly path: string
}

const targetOf = (url: URL): Target => ({
  href: url.href.split("#", 1)[0] ?? "",
  origin: url.origin,
  path: url.pathname + url.search
})

const CACHED_TARGETS = 64

/** Parses URLs, remembering those last seen: a service calls few. */
const makeTargets = () => {
  const known = new Map<string, Target>()
  return (request: HttpClientRequest.HttpClientRequest): Target | undefined => {
    const cacheable = request.urlParams.params.length === 0 && Option.isNone(request.hash)
    const cached = cacheable ? known.get(request.url) : undefined
    if (cached !== undefined) return cached
    const url = Option.getOrUndefined(HttpClientRequest.toUrl(request))
    if (url === undefined) return undefined
    const target = targetOf(url)
    if (cacheable) {
      if (known.size >= CACHED_TARGETS) known.clear()
      known.set(request.url, target)
    }
    return target
  }
}

const transportError = (request: HttpClientRequest.HttpClientRequest, cause: unknown) => {
  const code = cause instanceof Error && "code" in cause ? `${cause.code}` : undefined
  return new HttpClientError.HttpClientError({
    reason: new HttpClientError.TransportError({
      request,
      cause,
      ...(code === undefined ? undefined : { description: code })
    })
  })
}

/** A connection that tells its exchanges whether it served others before. */
class Connection extends Client {
  private answered = 0
  private readonly interim: InterimAnswers

  constructor(origin: URL, options: object) {
    const { connect } = options as { readonly connect: buildConnector.connector }
    const interim = new InterimAnswers()
    super(origin, { ...options, connect: interim.watching(connect) })
    this.interim = interim
    this.on("connect", () => {
      this.answered = 0
    })
  }

  get isUsed(): boolean {
    return this.answered > 0
  }

  expectAnswer(): void {
    this.interim.expect()
  }

  noteAnswer(): void {
    this.answered += 1
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (handler instanceof Exchange) handler.goesBy(this)
    return super.dispatch(options, handler)
  }
}

const pool = (origin: string | URL, options: object): Dispatcher =>
  new Pool(origin, { ...options, factory: (to, settings) => new Connection(to, settings) })

/** What a request meets that was sent on a connection which the server had just closed. */
const STALE = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"])

/** What may be sent twice without harm (RFC 9110 section 9.2.2); anything else where it carries an idempotency key. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])

type Resume = (result: Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>) => void

/** One request under way: undici's handler, gathering the response until it is whole. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly request: HttpClientRequest.HttpClientRequest
  private readonly href: string
  private readonly maxBytes: number
  private readonly resume: Resume
  /** Sends it once more, on a fresh connection; undefined where that was done, or its body is gone. */
  private again: ((exchange: Exchange) => void) | undefined
  private connection: Connection | undefined
  private wasUsed = false
  private controller: Dispatcher.DispatchController | undefined
  private cancelled: Error | undefined
  private status = 0
  private headers: Dispatcher.ResponseData["headers"] = {}
  private body: Buffer | undefined
  private more: Array<Buffer> | undefined
  private size = 0

  constructor(
    request: HttpClientRequest.HttpClientRequest,
    href: string,
    maxBytes: number,
    resume: Resume,
    again: ((exchange: Exchange) => void) | undefined
  ) {
    this.again = again
    this.request = request
    this.href = href
    this.maxBytes = maxBytes
    this.resume = resume
  }

  /** Ends the request wherever it is: one that still waits for a connection ends when it would be sent. */
  cancel(reason: Error): void {
    this.cancelled ??= reason
    this.controller?.abort(reason)
  }

  goesBy(connection: Connection): void {
    this.connection = connection
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.wasUsed = this.connection?.isUsed ?? false
    this.connection?.expectAnswer()
    this.controller = controller
    if (this.cancelled !== undefined) controller.abort(this.cancelled)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Dispatcher.ResponseData["headers"]
  ): void {
    if (status < 200) return
    this.status = status
    this.headers = headers
    if (this.request.method !== "HEAD" && Number(headers["content-length"]) > this.maxBytes) this.refuse()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.size += chunk.length
    if (this.size > this.maxBytes) this.refuse()
    else if (this.body === undefined) this.body = chunk
    else if (this.more === undefined) this.more = [this.body, chunk]
    else this.more.push(chunk)
  }

  onResponseEnd(): void {
    this.connection?.noteAnswer()
    if (this.cancelled !== undefined) return
    this.resume(
      Effect.succeed(this.response(this.more === undefined ? this.body : Buffer.concat(this.more, this.size)))
    )
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    const { again } = this
    this.again = undefined
    const isStale = this.wasUsed && this.status === 0 && "code" in cause && STALE.has(String(cause.code))
    // The server had closed it and did not see the request, nor would it harm to be seen twice.
    if (again !== undefined && isStale && this.cancelled === undefined) {
      again(this)
      return
    }
    this.more = undefined
    this.resume(Effect.fail(this.status === 0 ? transportError(this.request, cause) : this.unreadable(cause)))
  }

  private refuse(): void {
    this.cancel(new BodyTooLarge({ maxBytes: this.maxBytes }))
  }

  private response(body: Buffer | undefined): LeanHttpResponse {
    return new LeanHttpResponse(this.request, this.href, this.status, this.headers, body)
  }

  private unreadable(cause: Error): HttpClientError.HttpClientError {
    return new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({
        request: this.request,
        response: this.response(undefined),
        cause,
        description: cause.message
      })
    })
  }
}

interface Payload {
  readonly headers: HttpClientRequest.HttpClientRequest["headers"]
  readonly body: Exclude<Dispatcher.DispatchOptions["body"], undefined>
}

/** A form or a stream as undici takes it. */
const payloadOf = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Payload> => {
  const { body, headers } = request
  switch (body._tag) {
    case "Empty":
      return Effect.succeed({ headers, body: null })
    case "Uint8Array":
      return Effect.succeed({ headers, body: body.body })
    case "Raw":
      return Effect.succeed({ headers, body: body.body as Payload["body"] })
    case "Stream":
      return Effect.map(NodeStream.toReadable(body.stream), (readable) => ({ headers, body: readable }))
    case "FormData":
      return Effect.promise(async () => {
        const encoded = new Response(body.formData)
        const named = HttpClientRequest.setHeader(request, "content-type", encoded.headers.get("content-type") ?? "")
        return { headers: named.headers, body: new Uint8Array(await encoded.arrayBuffer()) }
      })
  }
}

/** Whether spans are wanted here: a tracer was given and nothing switches it off for this request. */
const isTraced = (fiber: Fiber.Fiber<unknown, unknown>, request: HttpClientRequest.HttpClientRequest): boolean =>
  fiber.cache.tracer !== undefined &&
  fiber.cache.tracerEnabled &&
  !fiber.getRef(Tracer.DisablePropagation) &&
  !fiber.getRef(HttpClient.TracerDisabledWhen)(request)

const make = ({ fresh, kept }: Agents, { headers, maxBodyBytes }: Options): HttpClient.HttpClient => {
  const targets = makeTargets()
  const added = headers === undefined ? undefined : Redacted.value(headers)

  const dispatch = (
    request: HttpClientRequest.HttpClientRequest,
    target: Target,
    payload: Payload,
    fiber: ClientFiber
  ) =>
    Effect.callback<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
      const limit = fiber.getRef(HttpIncomingMessage.MaxBodySize)
      const options = {
        origin: target.origin,
        path: target.path,
        method: request.method,
        headers: added === undefined ? payload.headers : { ...added, ...payload.headers },
        body: payload.body,
        // Time limits are the caller's, under the ambient Clock.
        headersTimeout: 0,
        bodyTimeout: 0
      }
      const repeatable =
        (payload.body === null || payload.body instanceof Uint8Array) &&
        (IDEMPOTENT.has(request.method) || payload.headers["idempotency-key"] !== undefined)
      const exchange = new Exchange(
        request,
        target.href,
        limit === undefined ? (maxBodyBytes ?? 1024 * 1024) : Number(limit),
        resume,
        repeatable ? (stale) => void fresh.dispatch(options, stale) : undefined
      )
      try {
        kept.dispatch(options, exchange)
      } catch (cause) {
        resume(Effect.fail(transportError(request, cause)))
      }
      return Effect.sync(() => exchange.cancel(new Error("the request was interrupted")))
    })

  const send = (request: HttpClientRequest.HttpClientRequest, target: Target, fiber: ClientFiber) => {
    const { body } = request
    return body._tag === "Uint8Array"
      ? dispatch(request, target, { headers: request.headers, body: body.body }, fiber)
      : Effect.flatMap(payloadOf(request), (payload) => dispatch(request, target, payload, fiber))
  }

  // Effect's own wrapper makes the spans and their headers.
  const traced = HttpClient.make((request, url, _signal, fiber) => send(request, targetOf(url), fiber))

  const execute = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.withFiber<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>((fiber) => {
      const target = isTraced(fiber, request) ? undefined : targets(request)
      return target === undefined ? traced.execute(request) : send(request, target, fiber as ClientFiber)
    })

  return HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
    (request) => Effect.flatMap(request, execute),
    Effect.succeed
  )
}

/** The cause of the `TransportError` of a request that did not get to the proxy. */
class ProxyAway extends Error {
  constructor(cause: Error) {
    super(`the proxy cannot be reached: ${cause.message === "" ? cause.name : cause.message}`, { cause })
  }
}

/** Connections to the proxy: what goes wrong with one is told from what goes wrong behind it. */
const toProxy = (origin: URL, options: object): Dispatcher => {
  const { connect } = options as { readonly connect: buildConnector.connector }
  return new Pool(origin, {
    ...options,
    connect: (target, done) =>
      connect(target, (...[error, socket]) => (error === null ? done(null, socket) : done(new ProxyAway(error), null)))
  })
}

/** Connections that are kept for the next request, and those for one request each. */
interface Agents {
  readonly kept: Dispatcher
  readonly fresh: Dispatcher
}

const makeAgents = ({ connectTimeout, connections, proxyUrl, tlsCa, tlsClient }: Options): Agents => {
  const timeout = Duration.toMillis(connectTimeout ?? "10 seconds")
  const proxyTls = { timeout, ...(tlsCa === undefined ? undefined : { ca: tlsCa }) }
  const shown =
    tlsClient === undefined ? undefined : { cert: tlsClient.certificate, key: Redacted.value(tlsClient.key) }
  const tls = { ...proxyTls, ...shown }
  const agent = (pipelining: 0 | 1): Dispatcher => {
    const common = { connections: connections ?? 128, pipelining, allowH2: false, factory: pool }
    if (proxyUrl === undefined) return new Agent({ ...common, connect: tls })
    const uri = Redacted.value(proxyUrl).href
    return new ProxyAgent({ ...common, uri, proxyTunnel: true, requestTls: tls, proxyTls, clientFactory: toProxy })
  }
  return { kept: agent(1), fresh: agent(0) }
}

/** See `LeanHttpClientLayer.ts`. */
export const layer = (options: Options = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => makeAgents(options)),
        ({ fresh, kept }) => Effect.promise(() => Promise.all([kept.destroy(), fresh.destroy()]))
      ),
      (agents) => make(agents, options)
    )
  )
