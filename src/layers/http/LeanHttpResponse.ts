import { Effect, Inspectable, Option, Pipeable, type Schema, Stream } from "effect"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as UrlParams from "effect/http/UrlParams"
import type { Dispatcher } from "undici/index.js"

type HttpError = HttpClientError.HttpClientError

const decoder = new TextDecoder()
const NOTHING: Uint8Array = new Uint8Array(0)

/** A response of `LeanHttpClient`: whole, its body in memory; what is seldom asked for is made when asked. */
export class LeanHttpResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: string
  readonly status: number
  private readonly fields: Dispatcher.ResponseData["headers"]
  private readonly body: Uint8Array
  private cachedHeaders: Headers.Headers | undefined

  constructor(
    request: HttpClientRequest.HttpClientRequest,
    url: string,
    status: number,
    fields: Dispatcher.ResponseData["headers"],
    body: Uint8Array | undefined
  ) {
    super()
    this.request = request
    this.url = url
    this.status = status
    this.fields = fields
    this.body = body ?? NOTHING
  }

  get [HttpIncomingMessage.TypeId](): typeof HttpIncomingMessage.TypeId {
    return HttpIncomingMessage.TypeId
  }

  get [HttpClientResponse.TypeId](): typeof HttpClientResponse.TypeId {
    return HttpClientResponse.TypeId
  }

  get headers(): Headers.Headers {
    this.cachedHeaders ??= Headers.fromInput(this.fields)
    return this.cachedHeaders
  }

  get cookies(): Cookies.Cookies {
    const fields = this.fields["set-cookie"]
    return fields === undefined ? Cookies.empty : Cookies.fromSetCookie(fields)
  }

  get remoteAddress(): Option.Option<string> {
    return Option.none()
  }

  get text(): Effect.Effect<string, HttpError> {
    return Effect.sync(() => decoder.decode(this.body))
  }

  get json(): Effect.Effect<Schema.Json, HttpError> {
    return Effect.try({
      try: () => (this.body.length === 0 ? null : JSON.parse(decoder.decode(this.body))),
      catch: (cause) =>
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
        })
    })
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpError> {
    return Effect.sync(() => this.copy().buffer)
  }

  get stream(): Stream.Stream<Uint8Array, HttpError> {
    return this.body.length === 0 ? Stream.empty : Stream.succeed(this.body)
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpError> {
    return this.web.urlParamsBody
  }

  get formData(): Effect.Effect<FormData, HttpError> {
    return this.web.formData
  }

  get upgrade(): HttpClientResponse.HttpClientResponse["upgrade"] {
    return Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.StatusCodeError({
          request: this.request,
          response: this,
          description: "this client does not upgrade connections"
        })
      })
    )
  }

  override toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/http/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  pipe(...steps: ReadonlyArray<unknown>) {
    return Pipeable.pipeArguments(this, steps as unknown as IArguments)
  }

  private copy(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.body)
  }

  /** The same body behind the platform's parsers of forms. */
  private get web(): HttpClientResponse.HttpClientResponse {
    return HttpClientResponse.fromWeb(this.request, new Response(this.copy(), { headers: this.headers }))
  }
}
