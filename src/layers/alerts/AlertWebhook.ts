/** Posts alerts over the `HttpClient` and `Signer` in scope (contract section 8, "Told by itself"). */
import { Clock, Effect, Layer, Redacted } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { AlertWebhook, AlertWebhookError } from "../../services/AlertWebhook.ts"
import { Signer } from "../../services/Signer.ts"
import { makeAuthorize } from "../signing/authorize.ts"

export interface Options {
  /** Whoever knows the address of a chat's webhook may write there: it is a secret. */
  readonly url: Redacted.Redacted<string>
  readonly serviceId: string
}

const patience = "10 seconds"

/** What may be another time: too many requests, and too slow ones. */
const mayPass = [408, 425, 429]

const refused = (problem: string, final = false) => new AlertWebhookError({ problem, final })

export const layer = ({ serviceId, url }: Options): Layer.Layer<AlertWebhook, never, HttpClient.HttpClient | Signer> =>
  Layer.effect(
    AlertWebhook,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const authorize = makeAuthorize(yield* Signer, serviceId)

      const post = Effect.fnUntraced(
        function* (body: Uint8Array) {
          const { authorization, key } = yield* authorize(body, yield* Clock.Clock)
          const request = HttpClientRequest.post(Redacted.value(url)).pipe(
            HttpClientRequest.setHeaders({ authorization, "x-service-id": serviceId, "x-key-id": key.id }),
            HttpClientRequest.bodyUint8Array(body, "application/json")
          )
          const { status } = yield* client.execute(request)
          if (status >= 200 && status < 300) return
          const final = status >= 300 && status < 500 && !mayPass.includes(status)
          return yield* refused(`it answered ${status}`, final)
        },
        // What went wrong is not quoted: a client's errors have the address in them.
        Effect.catchTags({
          HttpClientError: () => Effect.fail(refused("it cannot be reached")),
          SignerError: ({ problem }) => Effect.fail(refused(`the request could not be signed: ${problem}`))
        }),
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () => Effect.fail(refused(`no answer within ${patience}`))
        }),
        Effect.catchCauseIf(
          (cause) => !cause.reasons.some(({ _tag }) => _tag === "Fail"),
          () => Effect.fail(refused("the request broke off"))
        ),
        // An address of a chat's webhook has its secret in the path, and spans have addresses.
        Effect.withTracerEnabled(false)
      )
      return AlertWebhook.of({ post })
    })
  )
