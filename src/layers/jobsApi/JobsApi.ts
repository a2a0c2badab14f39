import { ByteSize, Cause, type Clock, Duration, Effect, Layer, Option } from "effect"
import * as Headers from "effect/http/Headers"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as UrlParams from "effect/http/UrlParams"
import { type Answer, attemptResult, failed, MAX_ANSWER_BYTES, refused } from "../../domain/delivery/answer.ts"
import type { AttemptResult, Failed } from "../../domain/delivery/attempt.ts"
import { addedSignatures, type SignatureScheme } from "../../domain/signing/signatureSchemes.ts"
import { type ConfigurationsAnswer, type Delivery, JobsApi, JobsApiError } from "../../services/JobsApi.ts"
import { Signer } from "../../services/Signer.ts"
import { makeAuthorize, type PresentKey } from "../signing/authorize.ts"
import { retryAfterMs } from "./retryAfter.ts"
import { makeTimeLimit } from "./timeLimit.ts"

export interface Options {
  /** Where the API is, with or without a path of its own. */
  readonly baseUrl: string
  /** What signatures are made for, sent as `X-Service-Id`. */
  readonly serviceId: string
  /** What else is signed beside `v1`. */
  readonly signatureSchemes?: ReadonlyArray<SignatureScheme> | undefined
  /** One request, connect to last byte. */
  readonly timeout: Duration.Input
}

const CONFIGURATIONS_PATH = "/api/models/configurations"
const MAX_CONFIGURATIONS_BYTES = 16 * 1024 * 1024

/** The coding asked for: unsaid, any would be acceptable (RFC 9110 section 12.5.3). */
const PLAIN = "identity"

const encoder = new TextEncoder()
const NOTHING = new Uint8Array(0)

// An object that is given its prototype afterwards is slow to make and to read: 1 µs of each delivery.
const headersPrototype: object = Object.getPrototypeOf(Headers.empty)
const headersOf = (record: Readonly<Record<string, string>>): Headers.Headers =>
  Object.assign(Object.create(headersPrototype), record)

const makeRequest = (
  method: string,
  url: string,
  headers: Record<string, string>,
  body: HttpBody.HttpBody
): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.makeWith(method, url, UrlParams.empty, Option.none(), headersOf(headers), body)

/** The system's words for why no response came. A failed connection to several addresses has only a code. */
const describe = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "the request failed"
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : undefined
  const message = cause.message === "" ? cause.name : cause.message
  return code === undefined || message.includes(code) ? message : `${code}: ${message}`
}

/** A request without a whole response: after a status the body could not be read, before it the network failed. */
const unanswered = (error: HttpClientError.HttpClientError, nowMs: number): Failed => {
  const { response, reason } = error
  const said = "description" in reason && typeof reason.description === "string" ? reason.description : undefined
  if (response === undefined) return failed("NETWORK", describe(reason.cause ?? error))
  const wait = retryAfterMs(response.headers["retry-after"], nowMs)
  return response.status >= 200 && response.status < 300
    ? failed("BAD_RESPONSE", said ?? describe(reason.cause ?? error), response.status, wait)
    : refused(response.status, undefined, wait)
}

/**
 * What a client or a signer did not say in its errors: it died, or interrupted itself. The attempt failed like any other,
 * so that its event goes its way; of a defect there is a line.
 */
const brokeOff = (cause: Cause.Cause<unknown>): Effect.Effect<Failed> => {
  if (!Cause.hasDies(cause)) return Effect.succeed(failed("NETWORK", "the request was interrupted from within"))
  const result = failed("NETWORK", `the request broke off: ${describe(Cause.squash(cause))}`)
  return Effect.as(Effect.logError("request.died", cause), result)
}

const tooLate = (timeout: Duration.Duration) =>
  failed("TIMEOUT", `no complete answer within ${Duration.format(timeout)}`)

const tooLarge = (maxBytes: number) => `the body is larger than ${maxBytes} bytes`

const exceeds = (text: string, maxBytes: number): boolean =>
  text.length > maxBytes || (text.length * 3 > maxBytes && encoder.encode(text).length > maxBytes)

/** An answer that cannot be read because it came encoded all the same says so. */
const ofCoding = (result: Failed, { headers }: HttpClientResponse.HttpClientResponse): Failed => {
  const coding = headers["content-encoding"]
  if (coding === undefined || coding === PLAIN) return result
  const problem = `${result.errorMessage}; it came with Content-Encoding: ${coding}, which was not asked for`
  return failed(result.errorCode, problem, result.status, result.retryAfterMs)
}

/** Reads an answer to a delivery. A client that sets no limit of its own is held to it here. */
const judge = (
  response: HttpClientResponse.HttpClientResponse,
  success: (answer: Answer) => AttemptResult,
  nowMs: () => number
) =>
  Effect.map(response.text, (body): AttemptResult => {
    const { headers, status } = response
    const wait = status < 300 ? undefined : retryAfterMs(response.headers["retry-after"], nowMs())
    if (!exceeds(body, MAX_ANSWER_BYTES)) {
      const result = success({ status, headers, body, retryAfterMs: wait })
      return result._tag === "Failed" && result.errorCode === "BAD_RESPONSE" ? ofCoding(result, response) : result
    }
    return status >= 200 && status < 300
      ? failed("BAD_RESPONSE", tooLarge(MAX_ANSWER_BYTES), status)
      : refused(status, undefined, wait)
  })

const apiError = ({ errorCode, errorMessage }: Failed) => Effect.fail(new JobsApiError({ errorCode, errorMessage }))

const readConfigurations = Effect.fnUntraced(function* (
  response: HttpClientResponse.HttpClientResponse,
  conditional: boolean
) {
  const { status, headers } = response
  if (status === 304 && conditional) return { _tag: "NotModified" } as const
  if (status !== 200) return yield* apiError(refused(status, yield* response.text, undefined))
  const body = new Uint8Array(yield* response.arrayBuffer)
  if (body.length > MAX_CONFIGURATIONS_BYTES)
    return yield* apiError(failed("BAD_RESPONSE", tooLarge(MAX_CONFIGURATIONS_BYTES)))
  return { _tag: "Fetched", body, etag: headers.etag, contentDigest: headers["content-digest"] } as const
})

/**
 * The jobs API over the `HttpClient` and `Signer` in scope, by the ambient `Clock` (contract section 4). Every request is
 * signed anew, with the time of its own attempt.
 */
export const layer = (options: Options): Layer.Layer<JobsApi, never, HttpClient.HttpClient | Signer> =>
  Layer.effect(
    JobsApi,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const signer = yield* Signer
      const { serviceId } = options
      const baseUrl = options.baseUrl.replace(/\/+$/, "")
      const timeout = Duration.fromInputUnsafe(options.timeout)
      const within = yield* makeTimeLimit(timeout)
      const timedOut = tooLate(timeout)

      const authorize = makeAuthorize(signer, serviceId)

      const addedSchemes = (options.signatureSchemes ?? []).filter((scheme) => scheme !== "v1")

      /** Sends a request, signed by the added schemes too; `v1` alone pays nothing for them. */
      const send = (
        method: string,
        url: string,
        headers: Record<string, string>,
        body: HttpBody.HttpBody,
        key: PresentKey,
        clock: Clock.Clock
      ) => {
        const request = () => client.execute(makeRequest(method, url, headers, body))
        if (addedSchemes.length === 0) return request()
        const bytes = body._tag === "Uint8Array" ? body.body : NOTHING
        const added = addedSignatures(addedSchemes, {
          method,
          targetUri: new URL(url).href,
          sha256: signer.sha256(bytes),
          idempotencyKey: headers["idempotency-key"],
          serviceId,
          created: Math.floor(clock.currentTimeMillisUnsafe() / 1_000),
          keyId: key.id,
          body: bytes
        })
        const sign = Effect.forEach(
          added,
          ({ headers: signed, message }) =>
            Effect.map(key.sign(message), (signature) => Object.assign(headers, signed(signature))),
          { discard: true }
        )
        return Effect.flatMap(sign, request)
      }

      const unsigned = (problem: string) => failed("NETWORK", `the request could not be signed: ${problem}`)

      const deliver = (delivery: Delivery): Effect.Effect<AttemptResult> =>
        Effect.clockWith((clock) => {
          const now = () => clock.currentTimeMillisUnsafe()
          const attempt = authorize(delivery.body, clock).pipe(
            Effect.flatMap(({ authorization, key }) => {
              const headers: Record<string, string> = {
                authorization,
                "accept-encoding": PLAIN,
                "content-type": "application/json",
                "x-service-id": serviceId,
                "x-key-id": key.id,
                "idempotency-key": delivery.idempotencyKey,
                "x-delivery-attempt": `${delivery.attempt}`
              }
              if (delivery.headers !== undefined) Object.assign(headers, delivery.headers)
              if (delivery.traceparent !== undefined) headers.traceparent = delivery.traceparent
              const body = HttpBody.uint8Array(delivery.body, "application/json")
              return send(delivery.method ?? "POST", baseUrl + delivery.path, headers, body, key, clock)
            }),
            Effect.flatMap((response) => judge(response, delivery.success ?? attemptResult, now)),
            Effect.catch((error) =>
              Effect.succeed(error._tag === "SignerError" ? unsigned(error.problem) : unanswered(error, now()))
            )
          )
          const { timeout: own } = delivery
          const timed =
            own === undefined
              ? within(attempt, timedOut)
              : Effect.timeoutOrElse(attempt, { duration: own, orElse: () => Effect.succeed(tooLate(own)) })
          return Effect.catchCause(timed, brokeOff)
        })

      const configurations = (etag: string | undefined): Effect.Effect<ConfigurationsAnswer, JobsApiError> =>
        Effect.clockWith((clock) =>
          authorize(NOTHING, clock).pipe(
            Effect.flatMap(({ authorization, key }) =>
              send(
                "GET",
                baseUrl + CONFIGURATIONS_PATH,
                {
                  authorization,
                  "accept-encoding": PLAIN,
                  accept: "application/json",
                  "x-service-id": serviceId,
                  "x-key-id": key.id,
                  ...(etag === undefined ? undefined : { "if-none-match": etag })
                },
                HttpBody.empty,
                key,
                clock
              )
            ),
            Effect.flatMap((response) => readConfigurations(response, etag !== undefined)),
            Effect.catchTags({
              HttpClientError: (error) => apiError(unanswered(error, clock.currentTimeMillisUnsafe())),
              SignerError: (error) => apiError(unsigned(error.problem))
            }),
            Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(MAX_CONFIGURATIONS_BYTES)),
            Effect.timeoutOrElse({ duration: timeout, orElse: () => apiError(timedOut) }),
            Effect.catchCauseIf(
              (cause) => !Cause.hasFails(cause),
              (cause) => Effect.flatMap(brokeOff(cause), apiError)
            )
          )
        )

      return JobsApi.of({ deliver, configurations })
    })
  )
