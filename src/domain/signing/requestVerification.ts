import { Result } from "effect"
import { Hex } from "effect/encoding"
import { type Ed25519, publicKeyProblem } from "./ed25519.ts"
import { PUBLIC_KEY_FORMS, parsePublicKey } from "./publicKey.ts"
import { MAX_DRIFT_SECONDS, parseAuthorization, SERVICE_ID, signingString } from "./signature.ts"

/** What a verifier looks at in a request. */
export interface SignedRequest {
  /** `GET`, `POST`, … */
  readonly method: string
  /** The `Authorization` header. */
  readonly authorization: string | undefined
  /** The `X-Service-Id` header. */
  readonly serviceId: string | undefined
  /** The exact bytes of the body, as they came, before any parsing; none for a GET. */
  readonly body: Uint8Array
}

/** What is known of a request whose signature verified. */
export interface VerifiedRequest {
  readonly serviceId: string
  /** Unix time in whole seconds, as signed. */
  readonly timestamp: number
  /** Which of the service's keys signed it. */
  readonly publicKey: Uint8Array
}

/** Why a request is refused, in the order of the checks. */
export const REFUSALS = [
  /** No `Authorization` or no `X-Service-Id`. */
  "MissingHeader",
  /** One of them is not in its one valid form. */
  "MalformedHeader",
  /** No key is trusted for this service id. */
  "UnknownService",
  /** The timestamp is 5 minutes or more away from now. */
  "Drift",
  /** No trusted key of the service made the signature over this body, time and service id. */
  "WrongSignature",
  /** The very same request was taken before. */
  "Replay",
  /** The guard is full: a new request cannot be told from a replay. */
  "ReplayGuardFull"
] as const

/** One of {@link REFUSALS}. */
export type RefusalReason = (typeof REFUSALS)[number]

/** A refusal: safe to log and to answer, it repeats no header. */
export interface Refusal {
  readonly reason: RefusalReason
  readonly problem: string
}

/** The public keys of each service id; several, while one key replaces another. Text as `parsePublicKey` reads it, or 32 bytes. */
export type TrustedServices = Readonly<Record<string, ReadonlyArray<string | Uint8Array>>>

interface TrustedKey {
  readonly publicKey: Uint8Array
  readonly verify: (message: Uint8Array, signature: Uint8Array) => boolean
}

/** Keys that have passed the policy, ready to verify. */
export type TrustedKeys = ReadonlyMap<string, ReadonlyArray<TrustedKey>>

const checkedBytes = (bytes: Uint8Array): Result.Result<Uint8Array, string> => {
  const problem = publicKeyProblem(bytes)
  return problem === undefined ? Result.succeed(Uint8Array.from(bytes)) : Result.fail(problem)
}

/** Loads the keys of all services; the failure names the service, the key's place in its list and the rule. */
export const loadTrustedKeys = (ed25519: Ed25519, services: TrustedServices): Result.Result<TrustedKeys, string> => {
  const trusted = new Map<string, ReadonlyArray<TrustedKey>>()
  for (const [serviceId, keys] of Object.entries(services)) {
    if (!SERVICE_ID.test(serviceId)) {
      return Result.fail(`the service id ${JSON.stringify(serviceId)} must match ${SERVICE_ID.source}`)
    }
    if (keys.length === 0) return Result.fail(`the service ${serviceId} has no public key`)
    const loaded: Array<TrustedKey> = []
    for (const [index, key] of keys.entries()) {
      const read = typeof key === "string" ? parsePublicKey(key) : checkedBytes(key)
      if (Result.isFailure(read)) {
        return Result.fail(
          `public key ${index + 1} of the service ${serviceId} must be ${PUBLIC_KEY_FORMS}: it ${read.failure}`
        )
      }
      loaded.push({ publicKey: read.success, verify: ed25519.verifier(read.success) })
    }
    trusted.set(serviceId, loaded)
  }
  return Result.succeed(trusted)
}

const refuse = (reason: RefusalReason, problem: string) => Result.fail<Refusal>({ reason, problem })

const encoder = new TextEncoder()

const isBytes = (body: unknown): body is Uint8Array => body instanceof Uint8Array

/** The signature and time of one request against the trusted keys; the same request may come again (see `ReplayGuard`). */
export const checkRequest = (
  ed25519: Ed25519,
  trusted: TrustedKeys,
  request: SignedRequest,
  nowMs: number
): Result.Result<VerifiedRequest & { readonly signature: Uint8Array }, Refusal> => {
  const { authorization, serviceId } = request
  if (authorization === undefined || authorization === null)
    return refuse("MissingHeader", "the Authorization header is missing")
  if (serviceId === undefined || serviceId === null)
    return refuse("MissingHeader", "the X-Service-Id header is missing")
  // A caller without types may hand over a list of headers, or a body that is parsed already.
  if (typeof authorization !== "string") return refuse("MalformedHeader", "Authorization: must be one text")
  if (typeof serviceId !== "string") return refuse("MalformedHeader", "X-Service-Id: must be one text")
  if (!isBytes(request.body)) return refuse("WrongSignature", "the body must be given as the bytes that came")
  const read = parseAuthorization(authorization)
  if (Result.isFailure(read)) return refuse("MalformedHeader", `Authorization: ${read.failure}`)
  if (!SERVICE_ID.test(serviceId)) return refuse("MalformedHeader", `X-Service-Id: must match ${SERVICE_ID.source}`)
  const keys = trusted.get(serviceId)
  if (keys === undefined) return refuse("UnknownService", "no key is trusted for this service id")
  const { timestamp, signature } = read.success
  // Written so that a clock that is not a number refuses.
  if (!(Math.abs(nowMs - timestamp * 1000) < MAX_DRIFT_SECONDS * 1000)) {
    return refuse("Drift", `the timestamp is ${MAX_DRIFT_SECONDS} seconds or more away from this server's clock`)
  }
  const message = encoder.encode(signingString(timestamp, Hex.encode(ed25519.sha256(request.body)), serviceId))
  const key = keys.find(({ verify }) => verify(message, signature))
  return key === undefined
    ? refuse("WrongSignature", "no key that is trusted for this service made this signature")
    : Result.succeed({ serviceId, timestamp, publicKey: key.publicKey, signature })
}
