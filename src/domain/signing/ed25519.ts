// The policy of every verification is the verifier's.
export { isStrictSignature, publicKeyProblem } from "../../verifier/ed25519.ts"

/** One implementation of Ed25519 and SHA-256. All of it is synchronous; keys and signatures are raw bytes. */
export interface Ed25519 {
  /** A signer for a seed of 32 bytes; the seed stays inside. */
  readonly signer: (seed: Uint8Array) => Ed25519Signer
  /**
   * Checks signatures of one public key, which must be one that may be trusted: true only for a signature of 64 bytes that satisfies
   * the policy of `src/verifier/ed25519.ts`.
   */
  readonly verifier: (publicKey: Uint8Array) => (message: Uint8Array, signature: Uint8Array) => boolean
  /** SHA-256 (FIPS 180-4): 32 bytes. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** The same of bytes that come piece by piece. */
  readonly hasher: () => Hasher
}

/** A SHA-256 in the making. */
export interface Hasher {
  readonly update: (bytes: Uint8Array) => unknown
  readonly digest: () => Uint8Array
}

/** A private key in use. */
export interface Ed25519Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes; throws nothing for any message. */
  readonly sign: (message: Uint8Array) => Uint8Array
}
