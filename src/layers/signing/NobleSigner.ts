import type { Layer, Redacted } from "effect"
import type { Signer, SignerError } from "../../services/Signer.ts"
import { noble } from "./noble.ts"
import { type SignerOptions, signerLayer } from "./signer.ts"

/**
 * The signer in plain JavaScript (`@noble/ed25519`): no Node imports, for other hosts and for tests. Same bytes, keys and errors as
 * `NativeSigner`, and about a tenth of its speed; each signature blocks the event loop for half a millisecond.
 */
export const layer = (
  privateKey: Redacted.Redacted<string>,
  options?: SignerOptions
): Layer.Layer<Signer, SignerError> => signerLayer(noble, privateKey, options)
