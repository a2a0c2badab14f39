/** What the console does not do, said by RFC 9457 to a program and as a page to a person. */
import { Schema } from "effect"
import { HttpServerResponse, ProblemDetails } from "effect/http"
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import type { Visitor } from "./access.ts"
import { html } from "./html.ts"
import { page } from "./pages/layout.ts"

const titles: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Sign in first",
  403: "Not allowed",
  404: "Not found",
  409: "Conflict",
  413: "Too large",
  421: "Unknown host",
  429: "Too many tries",
  500: "Internal error",
  503: "Not available"
}

/** A request that is refused, or cannot be answered. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Int,
  problem: Schema.String,
  /** In how many seconds it may be tried again. */
  retryAfter: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    return this.problem
  }
}

/** Redis is away, or does not let the console do it. */
export const redisRefused = (error: EventStreamsError): Refused => new Refused({ status: 503, problem: error.message })

const titleOf = (status: number): string => titles[status] ?? `Error ${status}`

/** Whether a program asked: it gets a problem document, a person a page. */
export const isApi = (path: string): boolean => path.startsWith("/api/")

/** A page for whoever is known keeps the way to the others. */
export const refusal = (
  path: string,
  { problem, retryAfter, status }: Refused,
  visitor?: Visitor
): HttpServerResponse.HttpServerResponse => {
  const title = titleOf(status)
  const response = isApi(path)
    ? ProblemDetails.toResponse({ type: ProblemDetails.blankType, status, title, detail: problem })
    : page(
        { title, visitor, current: undefined },
        html`<h1>${title}</h1><p class="problem">${problem}</p>${visitor === undefined ? html`<p><a href="/">Go to the overview</a></p>` : undefined}`,
        status
      )
  return HttpServerResponse.setHeaders(response, {
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) })
  })
}
