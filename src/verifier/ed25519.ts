import { hexOf } from "./bytes.ts"

/**
 * The policy of every verification here: RFC 8032 read at its strictest, so that all implementations agree on every input.
 *
 * - The public key is canonical (y < p, no sign on x = 0), on the curve and not of small order; checked when it is loaded.
 * - S < L. R is canonical and not of small order (no honest signer makes such an R).
 * - The equation without cofactor: [S]B = R + [k]A. That is what OpenSSL, BoringSSL and libsodium compute; the rest is checked
 *   here before they are asked, because they differ in it.
 */

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

const little = (n: bigint) => Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 255n))
const P_BYTES = little(P)
const L_BYTES = little(L)

/** One of the two y of the points of order 8; the other is its negative. */
const Y_OF_ORDER_8 = BigInt("0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826")

/** The y of all eight points of small order: 1 (order 1), −1 (order 2), 0 (order 4) and two of order 8. */
const SMALL_ORDER = [1n, P - 1n, 0n, Y_OF_ORDER_8, P - Y_OF_ORDER_8].map(little)

/** Whether 32 bytes, read least significant first and without their sign bit where `mask` says so, are below a bound. */
const isBelow = (bytes: Uint8Array, bound: Uint8Array, mask: number): boolean => {
  for (let i = 31; i >= 0; i--) {
    const byte = (bytes[i] ?? 0) & (i === 31 ? mask : 255)
    const limit = bound[i] ?? 0
    if (byte !== limit) return byte < limit
  }
  return false
}

const hasY = (bytes: Uint8Array, y: Uint8Array): boolean =>
  y.every((byte, i) => byte === ((bytes[i] ?? 0) & (i === 31 ? 127 : 255)))

/** What keeps 32 bytes from being the encoding of an acceptable point, the curve's equation aside. */
const encodingProblem = (bytes: Uint8Array): string | undefined => {
  if (!isBelow(bytes, P_BYTES, 127)) return "is not canonical (y is not below p)"
  const order = SMALL_ORDER.findIndex((y) => hasY(bytes, y))
  if (order < 0) return undefined
  // The points with y = ±1 have x = 0, which has no sign.
  return order < 2 && (bytes[31] ?? 0) > 127 ? "is not canonical (a sign on x = 0)" : "is of small order"
}

const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  for (let b = base % P, e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if ((e & 1n) === 1n) result = (result * b) % P
  return result
}

/** Whether x² = (y² − 1) / (d·y² + 1) is a square: the product is one exactly when the quotient is (Euler's criterion). */
const isOnCurve = (bytes: Uint8Array): boolean => {
  const y = BigInt(`0x${hexOf(bytes.slice().reverse())}`) & (2n ** 255n - 1n)
  const y2 = (y * y) % P
  return power((y2 - 1n + P) * (D * y2 + 1n), (P - 1n) / 2n) === 1n
}

/** What keeps bytes from being a public key that may be trusted; undefined where nothing does. Reads on from "it …". */
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
  isBelow(signature.subarray(32), L_BYTES, 255) &&
  encodingProblem(signature.subarray(0, 32)) === undefined
