import { getPublicKey, hash, hashes, Point, sign } from "@noble/ed25519"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { littleEndian, sameBytes } from "../../domain/signing/bytes.ts"
import { type Ed25519, isStrictSignature } from "../../domain/signing/ed25519.ts"

const ORDER = Point.CURVE().n

/**
 * Ed25519 in plain JavaScript: runs anywhere, slower. Its own `verify` multiplies by the cofactor, where OpenSSL does not; so that
 * both give the same answer on every input, the equation is written out here.
 */
export const noble: Ed25519 = {
  signer: (seed) => {
    hashes.sha512 = sha512
    return {
      publicKey: getPublicKey(seed),
      sign: (message) => sign(message, seed)
    }
  },
  verifier: (publicKey) => {
    hashes.sha512 = sha512
    const minusA = Point.fromBytes(publicKey).negate()
    return (message, signature) => {
      if (!isStrictSignature(signature)) return false
      const encodedR = signature.subarray(0, 32)
      const challenge = new Uint8Array(64 + message.length)
      challenge.set(encodedR)
      challenge.set(publicKey, 32)
      challenge.set(message, 64)
      const k = littleEndian(hash(challenge)) % ORDER
      const r = Point.BASE.multiply(littleEndian(signature.subarray(32)), false)
        .add(minusA.multiply(k, false))
        .toBytes()
      return sameBytes(r, encodedR)
    }
  },
  sha256,
  hasher: () => sha256.create()
}
