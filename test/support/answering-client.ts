/** The jobs API's layer over a client that answers from a function. */
import { Effect, Layer, Redacted } from "effect"
import { HttpClient, type HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import * as JobsApiLayer from "../../src/layers/jobsApi/JobsApi.ts"
import * as NobleSigner from "../../src/layers/signing/NobleSigner.ts"
import type { Delivery } from "../../src/services/JobsApi.ts"
import type { Signer, SignerError } from "../../src/services/Signer.ts"
import { requestSignatures } from "./vectors.ts"

export type Answer = (
  request: HttpClientRequest.HttpClientRequest
) => Effect.Effect<Response, HttpClientError.HttpClientError>

/** The layer under test over a client that answers from a function and keeps what it was sent. */
export const withApi = (
  answer: Answer,
  options?: {
    readonly seed?: string
    readonly signer?: Layer.Layer<Signer, SignerError>
    readonly serviceId?: string
    readonly baseUrl?: string
  }
) => {
  const requests: Array<HttpClientRequest.HttpClientRequest> = []
  const client = HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
    Effect.flatMap((request) => {
      requests.push(request)
      return Effect.map(answer(request), (response) => HttpClientResponse.fromWeb(request, response))
    }),
    Effect.succeed
  )
  const layer = JobsApiLayer.layer({
    baseUrl: options?.baseUrl ?? "https://api.example",
    serviceId: options?.serviceId ?? "job-collector",
    timeout: "10 seconds"
  }).pipe(
    Layer.provide([
      Layer.succeed(HttpClient.HttpClient, client),
      options?.signer ?? NobleSigner.layer(Redacted.make(options?.seed ?? requestSignatures[0]?.private_key_hex ?? ""))
    ])
  )
  return { requests, layer }
}

export const delivery = (overrides?: Partial<Delivery>): Delivery => ({
  path: "/api/jobs/add",
  body: new TextEncoder().encode("{}"),
  idempotencyKey: "evt-1",
  attempt: 1,
  ...overrides
})

export const success = JSON.stringify({ job_id: "j1", credits_deducted: 58 })
