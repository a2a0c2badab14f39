/** Deliberate mistakes in requests: how they are signed and named, how many there are, and what their answers mean. */
import { Effect } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { LeanHttpResponse } from "../../../layers/http/LeanHttpResponse.ts"
import type { Bug } from "../simulate.ts"
import { httpBug, scriptOf, sendingInstead } from "./wrongly.ts"

/** An answer to a delivery as a success, whatever it was. */
const taken = (response: HttpClientResponse.HttpClientResponse): HttpClientResponse.HttpClientResponse => {
  const { request } = response
  if (request.method !== "POST") return response
  return new LeanHttpResponse(
    request,
    request.url,
    200,
    {},
    new TextEncoder().encode('{"job_id":1,"credits_deducted":1}')
  )
}

export const requestBugs: ReadonlyArray<Bug> = [
  httpBug("one-signature", "signature", "signs once and uses it again for the same body", () => {
    const signed = new Map<string, string>()
    return (request) => {
      const key = request.headers["idempotency-key"] ?? ""
      const known = signed.get(key)
      if (known === undefined) {
        signed.set(key, request.headers.authorization ?? "")
        return request
      }
      return HttpClientRequest.setHeader(request, "authorization", known)
    }
  }),
  httpBug("key-per-attempt", "idempotency-key", "makes a new Idempotency-Key for every attempt", () => (request) => {
    const { "idempotency-key": key, "x-delivery-attempt": attempt } = request.headers
    return key === undefined ? request : HttpClientRequest.setHeader(request, "idempotency-key", `${key}.${attempt}`)
  }),
  {
    name: "anything-is-success",
    rule: "acknowledged-undone",
    wrong: "takes every answer for success, garbage included",
    overrides: () => ({ http: HttpClient.transformResponse(Effect.map(taken)) })
  },
  {
    name: "odd-status-is-success",
    rule: "acknowledged-undone",
    wrong: "takes an interim answer, a redirection and an answer without a body for success",
    overrides: () => ({
      http: HttpClient.transformResponse(
        Effect.map((response) => ([103, 204, 302].includes(response.status) ? taken(response) : response))
      )
    })
  },
  {
    name: "no-pause",
    rule: "pause-ignored",
    wrong: "does not hear how long a 429 asks it to wait",
    overrides: () => ({
      http: HttpClient.transformResponse(
        Effect.flatMap((response) =>
          Effect.map(response.text, (text) => {
            const { request, status } = response
            return new LeanHttpResponse(request, request.url, status, {}, new TextEncoder().encode(text))
          })
        )
      )
    })
  },
  {
    name: "limit-per-replica",
    rule: "rate",
    wrong: "keeps to the rate for itself, whatever the other replicas send",
    overrides: ({ name: replica }) => ({
      redis: sendingInstead((send, name, [lua = "", keys = "", key = "", ...args]) =>
        scriptOf(name, [lua]) === "reserve" ? send(name, lua, keys, `${key}:${replica}`, ...args) : undefined
      )
    })
  }
]
