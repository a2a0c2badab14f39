import type { Layer, Redacted } from "effect"
import type { Signer, SignerError } from "../../services/Signer.ts"
import { noble } from "./noble.ts"
import { type SignerOptions, signerLayer } from "./signer.ts"

/** The signer in plain JavaScript: no Node imports, for other hosts and for tests. Same bytes as `NativeSigner`. */
export const layer = (
  privateKey: Redacted.Redacted<string>,
  options?: SignerOptions
): Layer.Layer<Signer, SignerError> => signerLayer(noble, privateKey, options)
