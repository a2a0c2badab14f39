import { Redacted, Result } from "effect"
import * as Hex from "effect/encoding/Hex"
import { type DerElement, DerTag, derElementAt, derSequence } from "./der.ts"
import { algorithmProblem, isPem, KEY_BYTES, parseKeyBytes, parsePem, tidy } from "./keyEncoding.ts"

/** What a private key may be written as, for messages. */
export const PRIVATE_KEY_FORMS = "a 32-byte Ed25519 seed as hex, base64 or base64url, or PKCS#8 PEM"

/** A private key as it was written down. */
export interface PrivateKey {
  /** 32 bytes (RFC 8032 section 5.1.5). */
  readonly seed: Redacted.Redacted<Uint8Array>
  /** The public key that a PKCS#8 of version 2 carries; the caller compares it with the derived one. */
  readonly publicKey: Uint8Array | undefined
}

const NOT_PKCS8 = "is a PEM block that holds no PKCS#8 key"

const OTHER_LABELS: Readonly<Record<string, string>> = {
  "PUBLIC KEY": "is a public key; the private key belongs here",
  "RSA PRIVATE KEY": "is an RSA key; it must be Ed25519",
  "EC PRIVATE KEY": "is an EC key; it must be Ed25519",
  "OPENSSH PRIVATE KEY": "is in OpenSSH's own format; it must be PKCS#8 PEM"
}

const ATTRIBUTES = 0xa0
const PUBLIC_KEY = 0x81
// Some generators wrap the public key in a tag of its own where RFC 5958 replaces the BIT STRING's.
const PUBLIC_KEY_EXPLICIT = 0xa1

const embeddedPublicKey = (element: DerElement): Uint8Array | undefined => {
  const wrapped = element.tag === PUBLIC_KEY_EXPLICIT ? derElementAt(element.content, 0) : undefined
  const bits =
    element.tag === PUBLIC_KEY ? element.content : wrapped?.tag === DerTag.bitString ? wrapped.content : undefined
  return bits?.length === KEY_BYTES + 1 && bits[0] === 0 ? bits.slice(1) : undefined
}

/** RFC 5958 section 2 with RFC 8410 section 7: version, algorithm, seed, then perhaps attributes and the public key. */
const fromPkcs8 = (der: Uint8Array): Result.Result<PrivateKey, string> => {
  const parts = derSequence(der)
  const [version, algorithm, key, ...more] = parts ?? []
  if (version?.tag !== DerTag.integer || version.content.length !== 1) return Result.fail(NOT_PKCS8)
  const wrong = algorithmProblem(algorithm)
  if (wrong !== undefined) return Result.fail(wrong)
  const inner = key?.tag === DerTag.octetString ? derElementAt(key.content, 0) : undefined
  if (inner?.tag !== DerTag.octetString || inner.next !== key?.content.length || inner.content.length !== KEY_BYTES) {
    return Result.fail(`is a PKCS#8 key whose private part is not one seed of ${KEY_BYTES} bytes`)
  }
  if (more[0]?.tag === ATTRIBUTES) more.shift()
  const carried = more.shift()
  const publicKey = carried === undefined ? undefined : embeddedPublicKey(carried)
  if (more.length > 0 || (carried !== undefined && publicKey === undefined)) {
    return Result.fail("is a PKCS#8 key with more in it than attributes and a public key")
  }
  if (version.content[0] !== (publicKey === undefined ? 0 : 1)) {
    return Result.fail("is a PKCS#8 key whose version does not fit its content")
  }
  return Result.succeed({ seed: Redacted.make(inner.content.slice(), { label: "seed" }), publicKey })
}

/**
 * Reads a private key: 32-byte seed as 64 hex digits, base64 or base64url (with or without padding), or PKCS#8 PEM (RFC 8410;
 * also on one line with `\n` written out). The failure names the rule, reads on from "it …" and never repeats any of the key.
 */
export const parsePrivateKey = (text: Redacted.Redacted<string>): Result.Result<PrivateKey, string> => {
  const key = tidy(Redacted.value(text))
  if (!isPem(key)) {
    return Result.map(parseKeyBytes(key), (seed) => ({
      seed: Redacted.make(seed, { label: "seed" }),
      publicKey: undefined
    }))
  }
  return Result.flatMap(parsePem(key), ({ label, der }) =>
    label === "PRIVATE KEY"
      ? fromPkcs8(der)
      : Result.fail(OTHER_LABELS[label] ?? `is a PEM block of the kind ${label}; it must be PRIVATE KEY`)
  )
}

const PKCS8_PREFIX = Result.getOrThrow(Hex.decode("302e020100300506032b657004220420"))

/** The PKCS#8 DER of a seed (RFC 8410 section 7): 48 bytes. */
export const pkcs8Of = (seed: Uint8Array): Uint8Array => Uint8Array.of(...PKCS8_PREFIX, ...seed)
