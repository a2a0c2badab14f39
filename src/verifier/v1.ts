import { fromBase64, hexOf, utf8Of } from "./bytes.ts"
import { type ReadClaim, readTimestamp } from "./headers.ts"

/**
 * The request signature (contract section 4): Ed25519 over `v1\n{timestamp}\n{hex SHA-256 of the body}\n{service id}`, sent as
 * `Authorization: Ed25519 {timestamp}:{signature}`.
 */

/** A service id, as it is signed and sent in `X-Service-Id`: 1 to 64 letters, digits, `_` and `-`. */
export const SERVICE_ID = /^[A-Za-z0-9_-]{1,64}$/

/**
 * The text that is signed, as UTF-8.
 *
 * @param timestamp Unix time in whole seconds.
 * @param bodySha256Hex SHA-256 of the exact body bytes (of no bytes for a GET), 64 lowercase hex digits.
 */
export const signingString = (timestamp: number, bodySha256Hex: string, serviceId: string): string =>
  `v1\n${timestamp}\n${bodySha256Hex}\n${serviceId}`

/** What an `Authorization` value says. */
export interface Authorization {
  /** Unix time in whole seconds. */
  readonly timestamp: number
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** A signature in the one spelling of its 64 bytes: standard base64 with padding, without stray bits in the last character. */
export const readSignature = (text: string): Uint8Array | undefined => {
  const bytes = text.length === 88 ? fromBase64(text) : undefined
  return bytes?.length === 64 ? bytes : undefined
}

/**
 * Reads an `Authorization` value; the failure names the rule that it breaks and never repeats it. There is one spelling of a
 * header only: the scheme as written, one space, a canonical decimal timestamp, canonical padded base64 of 64 bytes.
 */
export const readAuthorization = (header: string): Authorization | string => {
  if (!header.startsWith("Ed25519 ")) return "must start with `Ed25519` and one space"
  const colon = header.indexOf(":")
  if (colon < 0) return "must have a `:` between timestamp and signature"
  const timestamp = readTimestamp(header.slice("Ed25519 ".length, colon))
  if (timestamp === undefined) return "the timestamp must be Unix seconds in decimal, without sign or leading zeros"
  const signature = readSignature(header.slice(colon + 1))
  return signature === undefined
    ? "the signature must be 64 bytes in standard base64 with padding"
    : { timestamp, signature }
}

export const readV1: ReadClaim = (headers, _, serviceId) => {
  const authorization = headers.required("Authorization")
  const keyId = headers.optional("X-Key-Id")
  if (authorization === undefined) return undefined
  const read = readAuthorization(authorization)
  if (typeof read === "string") return headers.malformed("Authorization", read)
  const { signature, timestamp } = read
  return {
    keyId,
    timestamp,
    signatures: [signature],
    message: (_body, sha256) => utf8Of(signingString(timestamp, hexOf(sha256), serviceId))
  }
}
