export type { Ed25519 } from "./domain/ed25519.ts"
export type {
  Refusal,
  RefusalReason,
  SignedRequest,
  TrustedServices,
  VerifiedRequest
} from "./domain/requestVerification.ts"
export * as Environment from "./layers/Environment.ts"
export { native as nativeEd25519 } from "./layers/ed25519/native.ts"
export { noble as nobleEd25519 } from "./layers/ed25519/noble.ts"
export type { SignerOptions } from "./layers/ed25519/signer.ts"
export { layer as layerNativeSigner } from "./layers/NativeSigner.ts"
export { layer as layerNobleSigner } from "./layers/NobleSigner.ts"
export {
  layer as layerRequestVerifier,
  makeRequestVerifier,
  type RequestVerifierOptions,
  type Verdict
} from "./layers/RequestVerifier.ts"
export { RequestRefused, RequestVerifier, TrustedKeysError } from "./services/RequestVerifier.ts"
export { Signer, SignerError } from "./services/Signer.ts"
