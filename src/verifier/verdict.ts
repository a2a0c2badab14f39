/** A request whose timestamp is this far from the verifier's clock, or farther, in either direction, is refused. */
export const MAX_DRIFT_SECONDS = 300

/** Why a request is refused, in the order of the checks. */
export const REFUSALS = [
  /** A header of the signature, or `X-Service-Id`, is missing. */
  "MissingHeader",
  /** One of them is not in its one valid form. */
  "MalformedHeader",
  /** No key is trusted for this service id. */
  "UnknownService",
  /** The request names a key that is not trusted for this service id. */
  "UnknownKey",
  /** The timestamp is 5 minutes or more away from now. */
  "Drift",
  /** The body is not given as bytes, was read before, or is too large. */
  "UnreadableBody",
  /** No trusted key of the service made the signature over this body, time and service id. */
  "WrongSignature",
  /** The very same request was taken before. */
  "Replay",
  /** The guard is full: a new request cannot be told from a replay. Answer 503. */
  "ReplayGuardFull"
] as const

/** One of {@link REFUSALS}. */
export type RefusalReason = (typeof REFUSALS)[number]

/** A refusal: safe to log and to answer, it repeats no header. */
export interface Refusal {
  readonly ok: false
  readonly reason: RefusalReason
  readonly problem: string
}

/** What is known of a request whose signature verified. */
export interface VerifiedRequest {
  readonly serviceId: string
  /** Unix time in whole seconds, as signed. */
  readonly timestamp: number
  /** Which of the service's keys signed it: the first 16 hex digits of the SHA-256 of its 32 bytes. */
  readonly keyId: string
  readonly publicKey: Uint8Array
  /** The bytes that were signed: parse these and no others. */
  readonly body: Uint8Array
}

/** The answer of a verifier. */
export type Verdict = ({ readonly ok: true } & VerifiedRequest) | Refusal

export const refuse = (reason: RefusalReason, problem: string): Refusal => ({ ok: false, reason, problem })
