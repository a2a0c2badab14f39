import { Result } from "effect"
import * as Base64 from "effect/encoding/Base64"
import * as Hex from "effect/encoding/Hex"
import { type DerElement, DerTag, derElements } from "./der.ts"

/**
 * The text forms that private and public keys share: 32 bytes as hex, base64 or base64url, or a PEM block (RFC 7468).
 * Every failure says what the text is and what it must be; none repeats any of it.
 */

/** Bytes in an Ed25519 seed and in an Ed25519 public key. */
export const KEY_BYTES = 32

/** A PEM block: what it calls itself, and its bytes. */
export interface PemBlock {
  readonly label: string
  readonly der: Uint8Array
}

/** Surrounding space and one pair of quotes taken off: some readers of env files leave the quotes in the value. */
export const tidy = (text: string): string => {
  const trimmed = text.trim()
  const quoted = /^(["'])([\s\S]*)\1$/.exec(trimmed)
  return quoted?.[2] === undefined ? trimmed : quoted[2].trim()
}

export const isPem = (text: string): boolean => text.includes("-----BEGIN ")

// Line ends may be real, written as `\n` in a one-line variable, or turned into spaces by an unquoted shell expansion.
const PEM = /^-----BEGIN ([A-Z0-9 ]{1,40})-----\s+([A-Za-z0-9+/=\s]+)\s-----END \1-----$/

/** Reads text that is exactly one PEM block. */
export const parsePem = (text: string): Result.Result<PemBlock, string> => {
  const block = text.replaceAll("\\r", "").replaceAll("\\n", "\n").trim()
  if (block.includes("Proc-Type:") || block.includes("BEGIN ENCRYPTED ")) {
    return Result.fail("is an encrypted PEM; decrypt it first (`openssl pkey`)")
  }
  const [, label, body] = PEM.exec(block) ?? []
  if (label === undefined || body === undefined) {
    return Result.fail("must be one PEM block, from its BEGIN line to its END line, and nothing else")
  }
  return Result.mapBoth(Base64.decode(body.replace(/\s+/g, "")), {
    onFailure: () => "is a PEM block whose content is not base64",
    onSuccess: (der) => ({ label, der })
  })
}

const HEX_DIGITS = /^[0-9a-fA-F]*$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const BASE64URL = /^[A-Za-z0-9_-]*={0,2}$/

const wrongLength = (bytes: number): string => {
  if (bytes === 2 * KEY_BYTES) {
    return "is 64 bytes, an expanded key or seed and public key together; only the 32 bytes that are asked for may stand here"
  }
  return bytes === 48 || bytes === 44
    ? `is ${bytes} bytes, probably DER; DER needs the BEGIN and END lines of PEM around it`
    : `is ${bytes} bytes; it must be ${KEY_BYTES}`
}

/** Reads 32 bytes written as 64 hex digits, or as base64 or base64url with or without padding. */
export const parseKeyBytes = (text: string): Result.Result<Uint8Array, string> => {
  const unpadded = text.replace(/=+$/, "")
  if (text === "") return Result.fail("is empty")
  if (/^0x/i.test(text)) return Result.fail("must be hex without `0x` before it")
  if (HEX_DIGITS.test(text) && unpadded.length !== 43) {
    return text.length === 2 * KEY_BYTES
      ? Result.mapError(Hex.decode(text), () => "must be 64 hex digits")
      : Result.fail(
          text.length === 4 * KEY_BYTES
            ? wrongLength(2 * KEY_BYTES)
            : `is ${text.length} hex digits; it must be ${2 * KEY_BYTES}`
        )
  }
  if (!BASE64.test(text) && !BASE64URL.test(text)) {
    return Result.fail("must be 32 bytes as hex, base64 or base64url, or PEM; it holds a character of none of them")
  }
  const standard = unpadded.replaceAll("-", "+").replaceAll("_", "/")
  const padded = standard.padEnd(Math.ceil(standard.length / 4) * 4, "=")
  if (text !== unpadded && text.length !== padded.length) {
    return Result.fail("is base64 whose padding does not fit its length")
  }
  return Result.flatMap(
    Result.mapError(Base64.decode(padded), () => "is base64 of an impossible length"),
    (bytes) => {
      if (bytes.length !== KEY_BYTES) return Result.fail(wrongLength(bytes.length))
      // Two bits of the last character belong to no byte; set, they show that the text was cut or mistyped.
      return Base64.encode(bytes) === padded
        ? Result.succeed(bytes)
        : Result.fail("is base64 with stray bits in its last character: cut short or mistyped")
    }
  )
}

const ED25519_OID = "2b6570"
const ALGORITHMS: Readonly<Record<string, string>> = {
  "2b656e": "an X25519",
  "2b656f": "an X448",
  "2b6571": "an Ed448",
  "2a864886f70d010101": "an RSA",
  "2a864886f70d01010a": "an RSA-PSS",
  "2a8648ce3d0201": "an EC"
}

/** What an AlgorithmIdentifier (RFC 8410 section 3) gets wrong: anything but Ed25519 without parameters. */
export const algorithmProblem = (element: DerElement | undefined): string | undefined => {
  const parts = element?.tag === DerTag.sequence ? derElements(element.content) : undefined
  const oid = parts?.[0]
  if (oid?.tag !== DerTag.oid) return "holds no algorithm identifier"
  const name = Hex.encode(oid.content)
  if (name !== ED25519_OID) return `is ${ALGORITHMS[name] ?? "another algorithm's"} key; it must be Ed25519`
  return parts?.length === 1 ? undefined : "gives parameters to Ed25519, which has none"
}
