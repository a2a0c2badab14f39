import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { layerRequestVerifier, RequestVerifier, type RequestVerifierOptions } from "job-collector"

/** A route of Effect's `HttpRouter`, with the verifier as a service. */
export const makeRoutes = (options: RequestVerifierOptions) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const { verify } = yield* RequestVerifier
      const addJob = Effect.gen(function* () {
        const { arrayBuffer, headers, method } = yield* HttpServerRequest.HttpServerRequest
        const verified = yield* verify({ method, headers, body: new Uint8Array(yield* arrayBuffer) })
        const event = JSON.parse(new TextDecoder().decode(verified.body))
        return yield* HttpServerResponse.json({ job_id: `job-${event.event_id}`, credits_deducted: 0 })
      }).pipe(
        Effect.catchTag("RequestRefused", ({ problem, reason }) =>
          HttpServerResponse.json({ error_code: reason, error_message: problem }, { status: 401 })
        )
      )
      yield* router.add("POST", "/api/jobs/add", addJob)
    })
  ).pipe(Layer.provide(layerRequestVerifier(options)))
