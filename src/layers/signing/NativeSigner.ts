import type { Layer, Redacted } from "effect"
import type { Signer, SignerError } from "../../services/Signer.ts"
import { native } from "./native.ts"
import { type SignerOptions, signerLayer } from "./signer.ts"

/** The signer on Node's own Ed25519: the fast one, used by the service. Same bytes as `NobleSigner`. */
export const layer = (
  privateKey: Redacted.Redacted<string>,
  options?: SignerOptions
): Layer.Layer<Signer, SignerError> => signerLayer(native, privateKey, options)
