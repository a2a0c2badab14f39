import { Redacted } from "effect"
import * as Base64 from "effect/encoding/Base64"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Hex from "effect/encoding/Hex"
import type { Ed25519 } from "./ed25519.ts"
import { pkcs8Of } from "./privateKey.ts"
import { spkiOf } from "./publicKey.ts"

/** A private key's seed and its public key, 32 bytes each. */
export interface KeyPair {
  readonly seed: Redacted.Redacted<Uint8Array>
  readonly publicKey: Uint8Array
}

export const KEY_FORMATS = ["hex", "base64", "pem"] as const

/** How a key pair is written down. */
export type KeyFormat = (typeof KEY_FORMATS)[number]

const pem = (label: string, der: Uint8Array, lineEnd: string): string =>
  [`-----BEGIN ${label}-----`, Base64.encode(der), `-----END ${label}-----`].join(lineEnd)

const encoded = (kind: "private" | "public", key: Uint8Array, format: KeyFormat, lineEnd: string): string => {
  if (format === "hex") return Hex.encode(key)
  if (format === "base64") return Base64.encode(key)
  return kind === "private" ? pem("PRIVATE KEY", pkcs8Of(key), lineEnd) : pem("PUBLIC KEY", spkiOf(key), lineEnd)
}

/** A seed or a public key as a file holds it, without a final line end. */
export const formatKey = (kind: "private" | "public", key: Uint8Array, format: KeyFormat): string =>
  encoded(kind, key, format, "\n")

/**
 * The two lines `ED25519_PRIVATE_KEY=…` and `ED25519_PUBLIC_KEY=…`, without a final line end, as an env file takes them and as
 * `parsePrivateKey` and `parsePublicKey` read them back. The text is the secret itself: for the standard output of `keygen` only.
 */
export const formatKeyPair = (pair: KeyPair, format: KeyFormat): string => {
  const value = (kind: "private" | "public", key: Uint8Array) => {
    const text = encoded(kind, key, format, "\\n")
    // Quoted, because of the spaces, and on one line: shells, env files and container runtimes all accept that.
    return format === "pem" ? `"${text}"` : text
  }
  const privateKey = value("private", Redacted.value(pair.seed))
  return `ED25519_PRIVATE_KEY=${privateKey}\nED25519_PUBLIC_KEY=${value("public", pair.publicKey)}`
}

/** A public key's id, as `X-Key-Id` says it: the first 16 hex digits of the SHA-256 of its 32 bytes. */
export const keyIdOf = (publicKey: Uint8Array, { sha256 }: Pick<Ed25519, "sha256">): string =>
  Hex.encode(sha256(publicKey).subarray(0, 8))

/** A public key as JSON Web Key (RFC 8037). */
export const publicJwk = (publicKey: Uint8Array, keyId: string) => ({
  kty: "OKP",
  crv: "Ed25519",
  use: "sig",
  alg: "EdDSA",
  kid: keyId,
  x: Base64Url.encode(publicKey)
})
