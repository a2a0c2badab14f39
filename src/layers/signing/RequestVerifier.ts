import { Clock, Effect, Layer, Result } from "effect"
import type { Ed25519 } from "../../domain/signing/ed25519.ts"
import {
  checkRequest,
  loadTrustedKeys,
  type Refusal,
  type SignedRequest,
  type TrustedServices,
  type VerifiedRequest
} from "../../domain/signing/requestVerification.ts"
import { RequestRefused, RequestVerifier, TrustedKeysError } from "../../services/RequestVerifier.ts"
import { native } from "./native.ts"
import { ReplayGuard } from "./ReplayGuard.ts"

/** Options of both verifiers. */
export interface RequestVerifierOptions {
  /** The public keys of each service id that may call. */
  readonly services: TrustedServices
  /**
   * Refuse a request that is not a GET or HEAD without a body the second time it comes, remembering at most so many, an equal
   * share for each service, so that none can fill it for the others (default: no guard). The
   * memory is this process's own; several API processes deduplicate by the body's `event_id` in their database all the same. The
   * same body signed twice within one second is the same request; the collector's retries are 5 seconds apart or more.
   */
  readonly replayGuard?: { readonly capacity: number } | undefined
  /** Default: Node's own. */
  readonly ed25519?: Ed25519 | undefined
}

/** The answer of a verifier that knows nothing of Effect. */
export type Verdict = ({ readonly ok: true } & VerifiedRequest) | ({ readonly ok: false } & Refusal)

type Verify = (request: SignedRequest, nowMs: number) => Result.Result<VerifiedRequest, Refusal>

const make = (options: RequestVerifierOptions): Result.Result<Verify, string> => {
  const { ed25519 = native, replayGuard } = options
  if (replayGuard !== undefined && !(Number.isSafeInteger(replayGuard.capacity) && replayGuard.capacity > 0)) {
    return Result.fail("the replay guard's capacity must be an integer of 1 or more")
  }
  const ids = replayGuard === undefined ? [] : Object.keys(options.services)
  const share = Math.max(1, Math.floor((replayGuard?.capacity ?? 0) / ids.length))
  const guards = new Map(ids.map((id) => [id, new ReplayGuard(share)]))
  const guarded = (
    checked: VerifiedRequest & { readonly signature: Uint8Array },
    { body, method }: SignedRequest,
    nowMs: number
  ) => {
    const { signature: _, ...verified } = checked
    const changesNothing = /^(?:GET|HEAD)$/i.test(method) && body.length === 0
    const answer = changesNothing ? "new" : (guards.get(checked.serviceId)?.admit(checked, nowMs) ?? "new")
    if (answer === "new") return Result.succeed(verified)
    return Result.fail<Refusal>(
      answer === "seen"
        ? { reason: "Replay", problem: "this very request was taken before" }
        : { reason: "ReplayGuardFull", problem: "too many requests are remembered to tell a replay; try again later" }
    )
  }
  return Result.map(
    loadTrustedKeys(ed25519, options.services),
    (trusted) => (request, nowMs) =>
      Result.flatMap(checkRequest(ed25519, trusted, request, nowMs), (checked) => guarded(checked, request, nowMs))
  )
}

/**
 * A verifier as a plain function, for an API that does not use Effect: give it a request and, if it is not the system's, the time in
 * Unix milliseconds; it never throws. The `v1` signature binds body, time and service id, but neither method nor path: let the body
 * say what it is for. Making it throws `TrustedKeysError` where a key cannot be trusted.
 *
 * Verify before parsing, over the exact bytes of the body; then deduplicate by the body's `event_id` (contract section 4).
 *
 * @example
 * ```ts
 * import { makeRequestVerifier } from "job-collector"
 *
 * const verify = makeRequestVerifier({
 *   services: { "job-collector": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"] },
 *   replayGuard: { capacity: 100_000 }
 * })
 *
 * export const isGenuine = (headers: Headers, body: Uint8Array): boolean => {
 *   const verdict = verify({
 *     method: "POST",
 *     authorization: headers.get("authorization") ?? undefined,
 *     serviceId: headers.get("x-service-id") ?? undefined,
 *     body
 *   })
 *   if (!verdict.ok) console.warn(`401: ${verdict.reason}, ${verdict.problem}`)
 *   return verdict.ok
 * }
 * ```
 */
export const makeRequestVerifier = (
  options: RequestVerifierOptions
): ((request: SignedRequest, nowMs?: number) => Verdict) => {
  const verify = Result.getOrThrowWith(make(options), (problem) => new TrustedKeysError({ problem }))
  return (request, nowMs = Date.now()) =>
    Result.match(verify(request, nowMs), {
      onFailure: (refusal): Verdict => ({ ok: false, ...refusal }),
      onSuccess: (verified): Verdict => ({ ok: true, ...verified })
    })
}

/**
 * The verifier as a service, on the ambient clock; fails with `TrustedKeysError` where a key cannot be trusted. Its `verify`
 * fails with `RequestRefused`, whose `reason` is one of {@link RefusalReason}.
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
      const verify = yield* Effect.fromResult(
        Result.mapError(make(options), (problem) => new TrustedKeysError({ problem }))
      )
      return RequestVerifier.of({
        verify: (request) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) =>
            Effect.fromResult(Result.mapError(verify(request, now), (refusal) => new RequestRefused(refusal)))
          )
      })
    })
  )
