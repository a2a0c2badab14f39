import { Clock, Effect, Layer } from "effect"
import type { Ed25519 } from "../../domain/signing/ed25519.ts"
import { RequestRefused, RequestVerifier, TrustedKeysError } from "../../services/RequestVerifier.ts"
import { makeVerifier, type VerifierOptions } from "../../verifier/verifier.ts"
import { native } from "./native.ts"

/** Options of the verifier's layer: those of `job-collector/verifier`, on an implementation of the collector's own. */
export interface RequestVerifierOptions extends Omit<VerifierOptions, "primitives"> {
  /** Default: Node's own. */
  readonly ed25519?: Ed25519 | undefined
}

/**
 * `job-collector/verifier` as a service, on the ambient clock; fails with `TrustedKeysError` where a key cannot be trusted. Its
 * `verify` fails with `RequestRefused`, whose `reason` is a `RefusalReason`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { layerRequestVerifier, RequestVerifier, type SignedRequest } from "job-collector"
 *
 * const verifier = layerRequestVerifier({
 *   services: { "job-collector": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"] }
 * })
 *
 * export const authenticate = Effect.fn(function* (request: SignedRequest) {
 *   const { verify } = yield* RequestVerifier
 *   const { serviceId } = yield* verify(request)
 *   return serviceId
 * }, Effect.provide(verifier))
 * ```
 */
export const layer = (options: RequestVerifierOptions): Layer.Layer<RequestVerifier, TrustedKeysError> =>
  Layer.effect(
    RequestVerifier,
    Effect.gen(function* () {
      const { ed25519 = native, ...policy } = options
      const verify = yield* Effect.try({
        try: () => makeVerifier({ ...policy, primitives: ed25519 }),
        catch: (error) => new TrustedKeysError({ problem: error instanceof Error ? error.message : `${error}` })
      })
      return RequestVerifier.of({
        verify: Effect.fnUntraced(function* (request) {
          const now = yield* Clock.currentTimeMillis
          const { ok, ...answer } = yield* Effect.promise(() => verify(request, now))
          return "reason" in answer ? yield* new RequestRefused(answer) : answer
        })
      })
    })
  )
