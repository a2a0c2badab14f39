/** Deliberate mistakes in what goes out for an event, and in what its answers are taken for. */
import { Effect } from "effect"
import { HttpBody, HttpClient, HttpClientRequest } from "effect/http"
import type { Bug } from "../simulate.ts"
import { answerInstead, httpBug } from "./wrongly.ts"

const decoder = new TextDecoder()

/** A request with the text of its body changed, whatever was signed. */
const withText = (
  request: HttpClientRequest.HttpClientRequest,
  change: (text: string) => string
): HttpClientRequest.HttpClientRequest =>
  request.body._tag === "Uint8Array"
    ? HttpClientRequest.setBody(request, HttpBody.text(change(decoder.decode(request.body.body)), "application/json"))
    : request

/** Takes one status of deliveries for another. */
const statusBug = (name: string, rule: string, wrong: string, taken: Readonly<Record<number, number>>): Bug => ({
  name,
  rule,
  wrong,
  overrides: () => ({
    http: HttpClient.transformResponse(
      Effect.flatMap((response) => {
        const status = response.request.method === "POST" ? taken[response.status] : undefined
        return status === undefined ? Effect.succeed(response) : answerInstead(response, status)
      })
    )
  })
})

export const answerBugs: ReadonlyArray<Bug> = [
  statusBug("conflict-is-failure", "attempt-count", "takes the answer for a job that is there already for a failure", {
    409: 500
  }),
  statusBug("rejected-retried", "rejected-again", "attempts again what the API rejected", { 422: 500 }),
  statusBug("failure-is-final", "abandoned-wrongly", "gives an event up as rejected where the API failed", {
    500: 422
  }),
  {
    name: "sent-twice",
    rule: "needless",
    wrong: "sends every request twice, for the quicker answer",
    overrides: () => ({
      http: HttpClient.transform((sent, { method }) =>
        method === "POST" ? Effect.andThen(Effect.forkDetach(Effect.ignore(sent)), sent) : sent
      )
    })
  },
  {
    name: "client-retries",
    rule: "attempt-burnt",
    wrong: "has an HTTP client that sends a failed request again by itself",
    overrides: () => ({
      http: HttpClient.transform((sent) =>
        Effect.flatMap(sent, (response) => (response.status >= 500 ? sent : Effect.succeed(response)))
      )
    })
  },
  httpBug("key-id-stale", "key-id", "names a key that it does not sign with", () =>
    HttpClientRequest.setHeader("x-key-id", "0123456789abcdef")
  ),
  httpBug("signature-cut", "unauthorized", "sends some signatures without their last character", () => {
    let serial = 0
    return (request) =>
      ++serial % 20 === 0
        ? HttpClientRequest.setHeader(request, "authorization", (request.headers.authorization ?? "").slice(0, -1))
        : request
  }),
  httpBug("body-stamped", "body-changed", "writes into a body when it is sent", () => {
    let serial = 0
    return (request) => withText(request, (text) => text.replace(/\}$/, `,"serial":${++serial}}`))
  })
]
