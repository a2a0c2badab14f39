import type { Effect, Layer, Redacted } from "effect"
import type { Signer, SignerError } from "../../services/Signer.ts"
import { native } from "./native.ts"
import { makeSigner, type SignerOptions, signerLayer } from "./signer.ts"

/** The signer of {@link layer}. */
export const make = (
  privateKey: Redacted.Redacted<string>,
  options?: SignerOptions
): Effect.Effect<Signer["Service"], SignerError> => makeSigner(native, privateKey, options)

/**
 * The signer on Node's own Ed25519 (RFC 8032, by OpenSSL): the fast one, used by the service. Same bytes as `NobleSigner`.
 *
 * The private key is a 32-byte seed as hex, base64 or base64url, or a PKCS#8 PEM. Fails with {@link SignerError}: `InvalidKey`,
 * or `KeyMismatch` where `publicKey` does not belong to it; no message repeats any of the key.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { layerNativeSigner, Signer } from "job-collector"
 *
 * // The first test key of RFC 8032.
 * const seed = Redacted.make("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
 *
 * export const example = Effect.gen(function* () {
 *   const signer = yield* Signer
 *   const message = new TextEncoder().encode("hello")
 *   return yield* signer.verify(message, yield* signer.sign(message))
 * }).pipe(Effect.provide(layerNativeSigner(seed)))
 * ```
 */
export const layer = (
  privateKey: Redacted.Redacted<string>,
  options?: SignerOptions
): Layer.Layer<Signer, SignerError> => signerLayer(native, privateKey, options)
