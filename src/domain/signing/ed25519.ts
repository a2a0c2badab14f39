import { littleEndian } from "./bytes.ts"

/**
 * The policy of every verification here: RFC 8032 read at its strictest, so that all implementations agree on every input.
 *
 * - The public key is canonical (y < p, no sign on x = 0), on the curve and not of small order; checked when it is loaded.
 * - S < L. R is canonical and not of small order (no honest signer makes such an R).
 * - The equation without cofactor: [S]B = R + [k]A.
 */

/** One implementation of Ed25519 and SHA-256. All of it is synchronous; keys and signatures are raw bytes. */
export interface Ed25519 {
  /** A signer for a seed of 32 bytes; the seed stays inside. */
  readonly signer: (seed: Uint8Array) => Ed25519Signer
  /**
   * Checks signatures of one public key, which {@link publicKeyProblem} must have passed: true only for a signature of 64 bytes
   * that satisfies the policy above.
   */
  readonly verifier: (publicKey: Uint8Array) => (message: Uint8Array, signature: Uint8Array) => boolean
  /** SHA-256 (FIPS 180-4): 32 bytes. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array
}

/** A private key in use. */
export interface Ed25519Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes; throws nothing for any message. */
  readonly sign: (message: Uint8Array) => Uint8Array
}

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  for (let b = base % P, e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if ((e & 1n) === 1n) result = (result * b) % P
  return result
}

/** y² of the points of order 8: the roots of d·y⁴ + 2·y² − 1, the y where doubling gives x² = −y², a point of order 4. */
const isOrderEight = (y2: bigint): boolean => (D * y2 * y2 + 2n * y2 - 1n) % P === 0n

/** What keeps 32 bytes from being the encoding of an acceptable point, the curve's equation aside. */
const encodingProblem = (bytes: Uint8Array): string | undefined => {
  const encoded = littleEndian(bytes)
  const y = encoded & (2n ** 255n - 1n)
  if (y >= P) return "is not canonical (y is not below p)"
  const y2 = (y * y) % P
  // Order 1 and 2 have y = ±1 (x = 0), order 4 has y = 0.
  if (y2 === 1n && encoded !== y) return "is not canonical (a sign on x = 0)"
  return y2 === 1n || y === 0n || isOrderEight(y2) ? "is of small order" : undefined
}

/** Whether x² = (y² − 1) / (d·y² + 1) is a square: the product is one exactly when the quotient is (Euler's criterion). */
const isOnCurve = (bytes: Uint8Array): boolean => {
  const y = littleEndian(bytes) & (2n ** 255n - 1n)
  const y2 = (y * y) % P
  return power((y2 - 1n + P) * (D * y2 + 1n), (P - 1n) / 2n) === 1n
}

/** What keeps bytes from being a public key that may be trusted; undefined where nothing does. */
export const publicKeyProblem = (publicKey: Uint8Array): string | undefined => {
  if (publicKey.length !== 32) return `is ${publicKey.length} bytes; it must be 32`
  return encodingProblem(publicKey) ?? (isOnCurve(publicKey) ? undefined : "is not a point of the curve")
}

/**
 * Whether a signature is of the one form that the policy admits; whether it verifies is another question. (An R off the curve
 * equals no computed R, so that need not be asked.)
 */
export const isStrictSignature = (signature: Uint8Array): boolean =>
  signature.length === 64 &&
  littleEndian(signature.subarray(32)) < L &&
  encodingProblem(signature.subarray(0, 32)) === undefined
