/**
 * Verifies the collector's requests, for those who receive them: on WebCrypto, without any dependency (contract section 4).
 *
 * @module job-collector/verifier
 */

export type { RequestHeaders } from "./headers.ts"
export { type Primitives, webCrypto } from "./primitives.ts"
export type { PublicJwk, PublicKeyInput } from "./publicKey.ts"
export { TrustedKeysError, type TrustedServices } from "./trustedKeys.ts"
export {
  MAX_DRIFT_SECONDS,
  REFUSALS,
  type Refusal,
  type RefusalReason,
  type Verdict,
  type VerifiedRequest
} from "./verdict.ts"
export {
  makeVerifier,
  type SignatureScheme,
  type SignedRequest,
  type VerifierOptions,
  type Verify
} from "./verifier.ts"
