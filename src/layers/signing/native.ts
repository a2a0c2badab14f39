import { createHash, createPrivateKey, createPublicKey, hash, sign, verify } from "node:crypto"
import { type Ed25519, isStrictSignature } from "../../domain/signing/ed25519.ts"
import { pkcs8Of } from "../../domain/signing/privateKey.ts"
import { spkiOf } from "../../domain/signing/publicKey.ts"

const spki = (publicKey: Uint8Array) =>
  createPublicKey({ key: Buffer.from(spkiOf(publicKey)), format: "der", type: "spki" })

/**
 * Ed25519 by Node's OpenSSL, with the key object made once. OpenSSL's equation is the one without cofactor and it refuses S ≥ L and
 * a non-canonical R; small-order R it would take.
 */
export const native: Ed25519 = {
  signer: (seed) => {
    const der = Buffer.from(pkcs8Of(seed))
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
    der.fill(0)
    const publicKey = createPublicKey(key).export({ format: "der", type: "spki" })
    return {
      publicKey: Uint8Array.from(publicKey.subarray(-32)),
      sign: (message) => sign(null, message, key)
    }
  },
  verifier: (publicKey) => {
    const key = spki(publicKey)
    return (message, signature) => isStrictSignature(signature) && verify(null, message, key, signature)
  },
  // As text and back into shared memory: asked for bytes, Node makes a block of its own, which takes longer than the hash.
  sha256: (bytes) => Buffer.from(hash("sha256", bytes, "binary"), "latin1"),
  hasher: () => createHash("sha256")
}
