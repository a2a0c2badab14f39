/** What every request passes before anything answers it: whose host it names, who asks, what they may do. */
import { isIP } from "node:net"
import { ByteSize, Cause, Clock, Context, Effect, Option, type Scope } from "effect"
import { HttpIncomingMessage, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { JobRefused } from "../programs/operator/redriveJobs.ts"
import { SelectionError } from "../programs/operator/selection.ts"
import { TooManyRules } from "../programs/traffic/controlTraffic.ts"
import { ConfigStoreError } from "../services/ConfigStore.ts"
import { EventStreamsError } from "../services/EventStreamsError.ts"
import { type Access, isSameText, type Visitor } from "./access.ts"
import type { FailedTries } from "./failedTries.ts"
import { isApi, Refused, redisRefused, refusal } from "./problems.ts"

export const cookieName = "job_collector_console"
const antiForgeryField = "anti_forgery"

/** Who asks. Where nobody said it, a stranger who may do nothing. */
export const CurrentVisitor = Context.Reference<Visitor>("job-collector/console/CurrentVisitor", {
  defaultValue: () => ({ name: undefined, role: undefined, by: "nothing", antiForgery: undefined })
})

export interface Guarded {
  readonly access: Access
  readonly failedTries: FailedTries
  /** Where it listens. */
  readonly host: string
  /** More names by which it is called. */
  readonly allowedHosts: ReadonlyArray<string>
}

/** Nothing is loaded from elsewhere, nothing stands in the page that could run, and no other site shows it in a frame. */
const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
    "base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()"
}

const largestBody = ByteSize.fromInputUnsafe("64 KiB")

const loopback = /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|::1)$/

/** A `Host` header's name, without its port and brackets. */
const nameIn = (host: string): string | undefined => {
  const [, ipv6, name] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:@/?#[\]]+))(?::\d{1,5})?$/.exec(host) ?? []
  return (ipv6 ?? name)?.toLowerCase()
}

/**
 * Whether the console is called so. A name of others that resolves to it (DNS rebinding) is refused; an address cannot be made
 * to resolve elsewhere, but without tokens only this machine's own will do.
 */
const isOurs = ({ access, allowedHosts, host }: Guarded, header: string | undefined): boolean => {
  const name = header === undefined ? undefined : nameIn(header)
  if (name === undefined) return false
  if (loopback.test(name) || name === host.toLowerCase()) return true
  return allowedHosts.some((allowed) => allowed.toLowerCase() === name) || (!access.isOpen && isIP(name) !== 0)
}

/** Whether a page of another origin sent it, as far as the browser says. */
const isForeign = (headers: Readonly<Record<string, string | undefined>>): boolean => {
  const site = headers["sec-fetch-site"]
  if (site !== undefined && site !== "same-origin" && site !== "none") return true
  const { host, origin } = headers
  return origin !== undefined && URL.parse(origin)?.host !== host
}

const isForm = (contentType: string | undefined): boolean =>
  contentType?.startsWith("application/x-www-form-urlencoded") === true

const pathOf = (url: string): string => url.replace(/[?#].*$/s, "")

export const addressOf = (request: HttpServerRequest.HttpServerRequest): string =>
  Option.getOrElse(request.remoteAddress, () => "unknown")

const bearerIn = (authorization: string): string | undefined => /^Bearer ([!-~]{1,512})$/i.exec(authorization)?.[1]

const visitorOf = Effect.fnUntraced(function* (
  { access, failedTries }: Guarded,
  request: HttpServerRequest.HttpServerRequest
): Effect.fn.Return<Visitor, Refused> {
  const now = yield* Clock.currentTimeMillis
  const { authorization } = request.headers
  if (authorization !== undefined) {
    const visitor = access.bearer(bearerIn(authorization) ?? "")
    if (visitor !== undefined) return visitor
    const address = addressOf(request)
    const wait = failedTries.waitOf(address, now)
    if (wait !== undefined)
      return yield* new Refused({ status: 429, problem: "too many wrong tokens: wait a minute", retryAfter: wait })
    failedTries.note(address, now)
    return yield* new Refused({ status: 401, problem: "the token is not one of the console's" })
  }
  const cookie = request.cookies[cookieName]
  return (cookie === undefined ? undefined : access.session(cookie, now)) ?? access.stranger
})

/** An act in a session carries what only the session's own pages know. */
const checkForgery = Effect.fnUntraced(function* (
  { antiForgery, by }: Visitor,
  request: HttpServerRequest.HttpServerRequest
) {
  if (by !== "session") return
  const given =
    request.headers["x-anti-forgery"] ??
    (isForm(request.headers["content-type"])
      ? ((yield* request.text.pipe(Effect.map((body) => new URLSearchParams(body).get(antiForgeryField)))) ?? undefined)
      : undefined)
  if (given === undefined || antiForgery === undefined || !isSameText(given, antiForgery))
    return yield* new Refused({
      status: 403,
      problem: "the request does not carry the session's anti-forgery token: load the page again"
    })
})

/** What may be asked without being known. */
const isPublic = (path: string): boolean => path === "/sign-in" || path.startsWith("/assets/")

const admit = Effect.fnUntraced(function* (
  guarded: Guarded,
  request: HttpServerRequest.HttpServerRequest,
  path: string
): Effect.fn.Return<Visitor, Refused | HttpServerError.HttpServerError> {
  if (!isOurs(guarded, request.headers.host))
    return yield* new Refused({
      status: 421,
      problem: "the console is not called by this name; CONSOLE_ALLOWED_HOSTS can list more"
    })
  const reads = request.method === "GET" || request.method === "HEAD"
  if (!reads && isForeign(request.headers))
    return yield* new Refused({ status: 403, problem: "the request comes from a page of another site" })
  if (isPublic(path)) return guarded.access.stranger
  const visitor = yield* visitorOf(guarded, request)
  if (visitor.role === undefined)
    return yield* new Refused({ status: 401, problem: "sign in, or send a token as Authorization: Bearer <token>" })
  if (reads) return visitor
  yield* checkForgery(visitor, request)
  if (visitor.role !== "act" && path !== "/sign-out")
    return yield* new Refused({ status: 403, problem: "this token may read, and change nothing" })
  return visitor
})

const toSignIn = (request: HttpServerRequest.HttpServerRequest) =>
  HttpServerResponse.redirect(`/sign-in?next=${encodeURIComponent(request.url)}`, { status: 303 })

/** What is not there, or cannot be done as things are; otherwise the folder cannot be used now. */
const configStatuses: Partial<Record<ConfigStoreError["reason"], number>> = { NoFolder: 404, NoGeneration: 409 }

/** What went wrong, as the answer says it: of a defect nothing, as its words might be a secret's. */
const refusedOf = (error: unknown): Refused | undefined => {
  if (error instanceof Refused) return error
  if (error instanceof EventStreamsError) return redisRefused(error)
  if (error instanceof SelectionError) return new Refused({ status: 400, problem: error.message })
  if (error instanceof JobRefused || error instanceof TooManyRules)
    return new Refused({ status: 409, problem: error.message })
  if (error instanceof ConfigStoreError)
    return new Refused({ status: configStatuses[error.reason] ?? 503, problem: error.message })
  if (!(error instanceof HttpServerError.HttpServerError)) return undefined
  const { reason } = error
  if (reason._tag === "RouteNotFound") return new Refused({ status: 404, problem: "there is nothing here" })
  if (reason._tag !== "RequestParseError") return undefined
  return reason.reason === "BodyTooLarge"
    ? new Refused({ status: 413, problem: "the request is larger than 64 KiB" })
    : new Refused({ status: 400, problem: "the request cannot be read" })
}

/** Answers for an app, whatever becomes of the request. */
export const guard = <E, R>(guarded: Guarded, app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.gen(function* (): Effect.fn.Return<
    HttpServerResponse.HttpServerResponse,
    never,
    R | HttpServerRequest.HttpServerRequest | Scope.Scope
  > {
    const request = yield* HttpServerRequest.HttpServerRequest
    const path = pathOf(request.url)
    const failed = (cause: Cause.Cause<unknown>, visitor?: Visitor) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const refused = refusedOf(Cause.squash(cause))
      if (refused?.status === 401 && request.method === "GET" && !isApi(path)) return Effect.succeed(toSignIn(request))
      if (refused !== undefined) return Effect.succeed(refusal(path, refused, visitor))
      const hidden = new Refused({ status: 500, problem: "the log says what went wrong" })
      return Effect.logError("console.failed", cause).pipe(
        Effect.annotateLogs({ method: request.method, path }),
        Effect.as(refusal(path, hidden, visitor))
      )
    }
    const answered = Effect.flatMap(admit(guarded, request, path), (visitor) =>
      Effect.provideService(app, CurrentVisitor, visitor).pipe(Effect.catchCause((cause) => failed(cause, visitor)))
    ).pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, largestBody),
      Effect.catchCause((cause) => failed(cause))
    )
    const response = yield* answered
    const { headers } = response
    return HttpServerResponse.setHeaders(response, {
      ...securityHeaders,
      "cache-control": headers["cache-control"] ?? "no-store"
    })
  })
