import { readFileSync } from "node:fs"

const read = (name: string): string => readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8")

/** Whole `Authorization` headers for known keys, times and bodies. */
export const requestSignatures: ReadonlyArray<{
  readonly private_key_hex: string
  readonly public_key_hex: string
  readonly timestamp: number
  readonly service_id: string
  readonly body_utf8: string
  readonly body_sha256_hex: string
  readonly signing_string: string
  readonly authorization: string
}> = JSON.parse(read("request_signature_v1.json"))

/** RFC 8032 section 7.1. */
export const rfc8032: ReadonlyArray<{
  readonly name: string
  readonly secretKey: string
  readonly publicKey: string
  readonly message: string
  readonly signature: string
}> = JSON.parse(read("rfc_8032-eddsa_ed25519.json"))

interface WycheproofGroup {
  readonly publicKey: { readonly pk: string }
  readonly publicKeyPem: string
  readonly tests: ReadonlyArray<{
    readonly tcId: number
    readonly comment: string
    readonly msg: string
    readonly sig: string
    readonly result: "valid" | "invalid"
  }>
}

/** Project Wycheproof, `ed25519_test.json`. */
export const wycheproof: ReadonlyArray<WycheproofGroup> = JSON.parse(read("wycheproof_v1_ed25519_test.json")).testGroups

/** "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko 2020): cases on which verifiers disagree. */
export const speccheck: ReadonlyArray<{
  readonly message: string
  readonly pub_key: string
  readonly signature: string
}> = JSON.parse(read("ed25519_speccheck_cases.json"))

/** RFC 9421 appendix B.2.6: the signature base, its signature in base64, and the public key as PEM. */
export const rfc9421: {
  readonly expectedBase: string
  readonly expectedSignature: string
  readonly publicKey: string
} = {
  ...JSON.parse(read("rfc9421_b26_ed25519.json")),
  publicKey: read("rfc9421_ed25519.pub.pem")
}
