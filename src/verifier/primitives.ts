/** What the verifier computes with: Ed25519 and SHA-256, at once or as promises. */
export interface Primitives {
  /** 32 bytes. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>
  /** Checks signatures of one public key by the equation without cofactor; keys and signatures have passed the policy before. */
  readonly verifier: (
    publicKey: Uint8Array
  ) => (message: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>
}

// Typed arrays may, by their type, lie in shared memory, which WebCrypto refuses; ours and a request's do not.
const plain = (bytes: Uint8Array) => bytes as Uint8Array<ArrayBuffer>

/** WebCrypto: in Node ≥ 22, Deno, Bun, browsers and edge runtimes. */
export const webCrypto: Primitives = {
  sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", plain(bytes))),
  verifier: (publicKey) => {
    const key = crypto.subtle.importKey("raw", plain(publicKey), "Ed25519", false, ["verify"])
    // Without Ed25519 in the runtime, each verification fails and says so; unawaited, the promise would end the process.
    key.catch(() => undefined)
    return async (message, signature) => crypto.subtle.verify("Ed25519", await key, plain(signature), plain(message))
  }
}
