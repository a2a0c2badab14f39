import { givenBody, readBody } from "./body.ts"
import { isStrictSignature } from "./ed25519.ts"
import { HeaderReader, type ReadClaim, type RequestHeaders } from "./headers.ts"
import { type Primitives, webCrypto } from "./primitives.ts"
import { ReplayGuard } from "./replayGuard.ts"
import { readRfc9421 } from "./rfc9421.ts"
import { readStandardWebhooks } from "./standardWebhooks.ts"
import { loadTrustedKeys, type TrustedKey, TrustedKeysError, type TrustedServices } from "./trustedKeys.ts"
import { readV1, SERVICE_ID } from "./v1.ts"
import { MAX_DRIFT_SECONDS, refuse, type Verdict } from "./verdict.ts"

/** What a verifier looks at in a request; a `Request` will do as it is. */
export interface SignedRequest {
  /** `GET`, `POST`, … */
  readonly method: string
  /** The headers, by lowercase name. */
  readonly headers: RequestHeaders
  /** The exact bytes of the body, as they came, before any parsing; none for a GET. */
  readonly body: Uint8Array
  /** The absolute URL that the sender called; needed for `rfc9421` only. */
  readonly url?: string | undefined
}

const SCHEMES: Readonly<Record<string, ReadClaim>> = {
  v1: readV1,
  rfc9421: readRfc9421,
  "standard-webhooks": readStandardWebhooks
} satisfies Record<SignatureScheme, ReadClaim>

/** How a request is signed: the `Authorization` header, HTTP Message Signatures, or Standard Webhooks. */
export type SignatureScheme = "v1" | "rfc9421" | "standard-webhooks"

/** Options of a verifier. */
export interface VerifierOptions {
  /** The public keys of each service id that may call. */
  readonly services: TrustedServices
  /**
   * Refuse a request that is not a GET or HEAD without a body the second time it comes, remembering at most so many, an equal
   * share for each service, so that none can fill it for the others (default: no guard). The memory is this process's own; several
   * API processes deduplicate by the body's `event_id` in their database all the same. The same body signed twice within one
   * second is the same request; the collector's retries are 5 seconds apart or more.
   */
  readonly replayGuard?: { readonly capacity: number } | undefined
  /** Which signature must be there; others in the request are not looked at. Default: `v1`. */
  readonly scheme?: SignatureScheme | undefined
  /** Bytes of a `Request`'s body that are read at most. Default: 16 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Default: WebCrypto. */
  readonly primitives?: Primitives | undefined
}

/** Judges one request, at a time in Unix milliseconds (default: the system's). It refuses odd requests; it never throws on one. */
export type Verify = (request: SignedRequest | Request, nowMs?: number) => Promise<Verdict>

const isRequest = (request: SignedRequest | Request): request is Request =>
  "arrayBuffer" in request && typeof request.arrayBuffer === "function"

const changesNothing = (method: unknown, body: Uint8Array): boolean =>
  typeof method === "string" && /^(?:GET|HEAD)$/i.test(method) && body.length === 0

const makeGuards = ({ replayGuard, services }: VerifierOptions): ReadonlyMap<string, ReplayGuard> => {
  if (replayGuard === undefined) return new Map()
  const { capacity } = replayGuard
  if (!(Number.isSafeInteger(capacity) && capacity > 0)) {
    throw new TrustedKeysError("the replay guard's capacity must be an integer of 1 or more")
  }
  const ids = Object.keys(services)
  return new Map(ids.map((id) => [id, new ReplayGuard(Math.max(1, Math.floor(capacity / ids.length)))]))
}

/** The keys that may have signed: all, or the one that the request names. */
const candidates = async (keys: ReadonlyArray<TrustedKey>, keyId: string | undefined) => {
  if (keyId === undefined) return keys
  const ids = await Promise.all(keys.map((key) => key.keyId))
  return keys.filter((_, i) => ids[i] === keyId)
}

/**
 * A verifier of the collector's requests (contract section 4), at its strictest. Making it throws {@link TrustedKeysError} where a key
 * cannot be trusted. The `v1` signature binds body, time and service id, but neither method nor path: let the body say what it is
 * for.
 *
 * Verify before parsing, over the exact bytes of the body; then deduplicate by the body's `event_id`.
 *
 * @example
 * ```ts
 * import { makeVerifier } from "job-collector/verifier"
 *
 * const verify = makeVerifier({
 *   services: { "job-collector": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"] },
 *   replayGuard: { capacity: 100_000 }
 * })
 *
 * export const handle = async (request: Request): Promise<Response> => {
 *   const verdict = await verify(request)
 *   if (!verdict.ok) return new Response(verdict.problem, { status: 401 })
 *   return Response.json(JSON.parse(new TextDecoder().decode(verdict.body)))
 * }
 * ```
 */
export const makeVerifier = (options: VerifierOptions): Verify => {
  const { maxBodyBytes = 16 * 1024 * 1024, primitives = webCrypto, scheme = "v1" } = options
  const readClaim = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined
  if (readClaim === undefined)
    throw new TrustedKeysError(`the scheme must be one of ${Object.keys(SCHEMES).join(", ")}`)
  const trusted = loadTrustedKeys(options.services, primitives)
  const guards = makeGuards(options)

  return async (request, nowMs = Date.now()) => {
    const { method, url } = request
    const headers = new HeaderReader(request.headers as RequestHeaders)
    const serviceId = headers.required("X-Service-Id") ?? ""
    const claim = readClaim(headers, { method, url }, serviceId)
    if (headers.refusal === undefined && !SERVICE_ID.test(serviceId)) {
      headers.malformed("X-Service-Id", `must match ${SERVICE_ID.source}`)
    }
    if (claim?.keyId !== undefined && !/^[0-9a-f]{16}$/.test(claim.keyId)) {
      headers.malformed("X-Key-Id", "must be 16 lowercase hex digits")
    }
    if (claim === undefined || headers.refusal !== undefined) {
      return headers.refusal ?? refuse("MalformedHeader", "the signature's headers cannot be read")
    }
    const known = trusted.get(serviceId)
    if (known === undefined) return refuse("UnknownService", "no key is trusted for this service id")
    const keys = await candidates(known, claim.keyId)
    if (keys.length === 0)
      return refuse("UnknownKey", "the key that the request names is not trusted for this service id")
    // Written so that a clock that is not a number refuses.
    if (!(Math.abs(nowMs - claim.timestamp * 1000) < MAX_DRIFT_SECONDS * 1000)) {
      return refuse("Drift", `the timestamp is ${MAX_DRIFT_SECONDS} seconds or more away from this server's clock`)
    }
    const body = isRequest(request) ? await readBody(request, maxBodyBytes) : givenBody(request.body)
    if ("reason" in body) return body

    const message = claim.message(body, await primitives.sha256(body))
    for (const signature of message === undefined ? [] : claim.signatures.filter(isStrictSignature)) {
      for (const key of keys) {
        if (message === undefined || !(await key.verify(message, signature))) continue
        const guard = changesNothing(method, body) ? undefined : guards.get(serviceId)
        const answer = guard?.admit(claim.timestamp, signature, nowMs)
        if (answer === "seen") return refuse("Replay", "this very request was taken before")
        if (answer === "full") {
          return refuse("ReplayGuardFull", "too many requests are remembered to tell a replay; try again later")
        }
        const { publicKey } = key
        return { ok: true, serviceId, timestamp: claim.timestamp, keyId: await key.keyId, publicKey, body }
      }
    }
    return refuse("WrongSignature", "no key that is trusted for this service made this signature")
  }
}
