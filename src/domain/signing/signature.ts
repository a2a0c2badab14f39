import { Result } from "effect"
import { Base64 } from "effect/encoding"

/**
 * The request signature (contract section 4): Ed25519 over `v1\n{timestamp}\n{hex SHA-256 of the body}\n{service id}`, sent as
 * `Authorization: Ed25519 {timestamp}:{signature}`.
 */

/** A service id, as it is signed and sent in `X-Service-Id`: 1 to 64 letters, digits, `_` and `-`. */
export const SERVICE_ID = /^[A-Za-z0-9_-]{1,64}$/

/** A request whose timestamp is this far from the verifier's clock, or farther, in either direction, is refused. */
export const MAX_DRIFT_SECONDS = 300

/**
 * The text that is signed, as UTF-8.
 *
 * @param timestamp Unix time in whole seconds.
 * @param bodySha256Hex SHA-256 of the exact body bytes (of no bytes for a GET), 64 lowercase hex digits.
 */
export const signingString = (timestamp: number, bodySha256Hex: string, serviceId: string): string =>
  `v1\n${timestamp}\n${bodySha256Hex}\n${serviceId}`

/** The `Authorization` value: the timestamp, and the 64 bytes of the signature in standard base64 with padding. */
export const authorizationHeader = (timestamp: number, signature: Uint8Array): string =>
  `Ed25519 ${timestamp}:${Base64.encode(signature)}`

/** What an `Authorization` value says. */
export interface Authorization {
  /** Unix time in whole seconds. */
  readonly timestamp: number
  /** 64 bytes. */
  readonly signature: Uint8Array
}

// 64 bytes are 85 full characters and one that carries two bits: any other last character spells the same bytes twice.
const SIGNATURE = /^[A-Za-z0-9+/]{85}[AQgw]==$/
const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/

/**
 * Reads an `Authorization` value; the failure names the rule that it breaks and never repeats it. There is one spelling of a
 * header only: the scheme as written, one space, a canonical decimal timestamp, canonical padded base64 of 64 bytes.
 */
export const parseAuthorization = (header: string): Result.Result<Authorization, string> => {
  if (!header.startsWith("Ed25519 ")) return Result.fail("must start with `Ed25519` and one space")
  const colon = header.indexOf(":")
  if (colon < 0) return Result.fail("must have a `:` between timestamp and signature")
  const digits = header.slice("Ed25519 ".length, colon)
  const timestamp = Number(digits)
  if (!DECIMAL.test(digits) || !Number.isSafeInteger(timestamp)) {
    return Result.fail("the timestamp must be Unix seconds in decimal, without sign or leading zeros")
  }
  const text = header.slice(colon + 1)
  if (!SIGNATURE.test(text)) return Result.fail("the signature must be 64 bytes in standard base64 with padding")
  return Result.map(
    Result.mapError(Base64.decode(text), () => "the signature must be base64"),
    (signature) => ({ timestamp, signature })
  )
}
