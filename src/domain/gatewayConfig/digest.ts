/** `Content-Digest` (RFC 9530): a dictionary of byte sequences (RFC 8941), `sha-256=:…:, sha-512=:…:`. */
import * as Base64 from "effect/encoding/Base64"

/** Digest functions by their RFC 9530 names; algorithms that are not listed are passed over, as the RFC asks. */
export interface DigestFunctions {
  readonly "sha-256": (bytes: Uint8Array) => Uint8Array
  readonly "sha-512": (bytes: Uint8Array) => Uint8Array
}

/** One dictionary member that is a byte sequence, its parameters ignored. */
const MEMBER = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:;[^,]*)?$/

/** What is wrong with a field value for these bytes; undefined if nothing is. A malformed field is a mismatch too. */
export const digestProblem = (field: string, bytes: Uint8Array, functions: DigestFunctions): string | undefined => {
  for (const member of field.split(",")) {
    const parsed = MEMBER.exec(member.trim())
    if (parsed === null) return "Content-Digest is malformed"
    const [, algorithm, expected = ""] = parsed
    if (algorithm !== "sha-256" && algorithm !== "sha-512") continue
    if (Base64.encode(functions[algorithm](bytes)).replace(/=+$/, "") !== expected.replace(/=+$/, "")) {
      return `Content-Digest: the body's ${algorithm} is another`
    }
  }
  return undefined
}
