import { fromBase64, hexOf } from "./bytes.ts"
import { publicKeyProblem } from "./ed25519.ts"

/** A public key as JSON Web Key (RFC 8037); other members are ignored. */
export interface PublicJwk {
  readonly kty?: unknown
  readonly crv?: unknown
  readonly x?: unknown
}

/** A public key: 32 bytes; text in hex, base64, base64url or SPKI PEM; or a JSON Web Key. */
export type PublicKeyInput = string | Uint8Array | PublicJwk

const FORMS = "must be an Ed25519 public key: 32 bytes as hex, base64 or base64url, SPKI PEM, or a JSON Web Key"

const SPKI_PREFIX = "302a300506032b6570032100"

const fromBase64Url = (text: string): Uint8Array | undefined => {
  const standard = text.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/")
  return fromBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, "="))
}

const fromText = (text: string): Uint8Array | undefined => {
  const [, pem] = /^-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----$/.exec(text) ?? []
  if (pem !== undefined) {
    const der = fromBase64(pem.replace(/\s/g, ""))
    return der?.length === 44 && hexOf(der.subarray(0, 12)) === SPKI_PREFIX ? der.slice(12) : undefined
  }
  if (/^[0-9a-fA-F]{64}$/.test(text)) {
    return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
  }
  return fromBase64Url(text)
}

const bytesOf = (key: PublicKeyInput): Uint8Array | undefined => {
  if (key instanceof Uint8Array) return Uint8Array.from(key)
  // Some readers of env files leave `\n` in a one-line PEM.
  if (typeof key === "string") return fromText(key.replaceAll("\\n", "\n").trim())
  const { crv, kty, x } = key ?? {}
  return kty === "OKP" && crv === "Ed25519" && typeof x === "string" ? fromBase64Url(x) : undefined
}

/** Reads a public key that may be trusted; the problem, as text, where it may not. */
export const readPublicKey = (key: PublicKeyInput): Uint8Array | string => {
  const bytes = bytesOf(key)
  const problem = bytes === undefined ? "is none of these" : publicKeyProblem(bytes)
  return bytes !== undefined && problem === undefined ? bytes : `${FORMS}: it ${problem}`
}
