import { Effect, Layer } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { RequestVerifier } from "../../src/services/RequestVerifier.ts"
import type { RefusalReason } from "../../src/verifier/index.ts"
import { Unauthorized } from "./errors.ts"
import { ServiceAuth, SignedBy } from "./middleware.ts"

const codes: Readonly<Record<RefusalReason, Unauthorized["error_code"]>> = {
  MissingHeader: "MISSING_HEADER",
  MalformedHeader: "MALFORMED_HEADER",
  UnknownService: "UNKNOWN_SERVICE",
  UnknownKey: "UNKNOWN_KEY",
  Drift: "STALE_TIMESTAMP",
  UnreadableBody: "UNAUTHORIZED",
  WrongSignature: "WRONG_SIGNATURE",
  Replay: "REPLAY",
  ReplayGuardFull: "REPLAY"
}

const unreadable = (error_code: string, error_message: string, status: number) =>
  HttpServerResponse.jsonUnsafe({ error_code, error_message }, { status })

/**
 * Verifies the signature over the exact bytes of the body before anything is parsed. No replay guard here: a request
 * that comes again is answered from its idempotency record, which outlives this process and is shared by all of them.
 */
export const serviceAuth = Layer.effect(
  ServiceAuth,
  Effect.gen(function* () {
    const verifier = yield* RequestVerifier
    return Effect.fnUntraced(function* (effect) {
      const request = yield* HttpServerRequest.HttpServerRequest
      const body = yield* Effect.result(request.arrayBuffer)
      if (body._tag === "Failure") {
        return body.failure.reason._tag === "RequestParseError" && body.failure.reason.reason === "BodyTooLarge"
          ? unreadable("BODY_TOO_LARGE", "the body is larger than this API takes", 413)
          : unreadable("INVALID_REQUEST", "the body could not be read", 400)
      }
      const verified = yield* verifier
        .verify({
          method: request.method,
          headers: request.headers,
          body: new Uint8Array(body.success)
        })
        .pipe(
          Effect.mapError(
            ({ reason, problem }) => new Unauthorized({ error_code: codes[reason], error_message: problem })
          )
        )
      return yield* Effect.provideService(effect, SignedBy, { serviceId: verified.serviceId })
    })
  })
)
