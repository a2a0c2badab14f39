import { Redacted } from "effect"
import { Base64, Hex } from "effect/encoding"
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

// Quoted, because of the spaces, and on one line: shells, env files and container runtimes all accept that.
const quotedPem = (label: string, der: Uint8Array): string =>
  `"-----BEGIN ${label}-----\\n${Base64.encode(der)}\\n-----END ${label}-----"`

/**
 * The two lines `ED25519_PRIVATE_KEY=…` and `ED25519_PUBLIC_KEY=…`, without a final line end, as an env file takes them and as
 * `parsePrivateKey` and `parsePublicKey` read them back. The text is the secret itself: for the standard output of `keygen` only.
 */
export const formatKeyPair = (pair: KeyPair, format: KeyFormat): string => {
  const seed = Redacted.value(pair.seed)
  const [privateKey, publicKey] =
    format === "hex"
      ? [Hex.encode(seed), Hex.encode(pair.publicKey)]
      : format === "base64"
        ? [Base64.encode(seed), Base64.encode(pair.publicKey)]
        : [quotedPem("PRIVATE KEY", pkcs8Of(seed)), quotedPem("PUBLIC KEY", spkiOf(pair.publicKey))]
  return `ED25519_PRIVATE_KEY=${privateKey}\nED25519_PUBLIC_KEY=${publicKey}`
}
