import { Result } from "effect"
import * as Base64 from "effect/encoding/Base64"
import { type Authorization, readAuthorization } from "../../verifier/v1.ts"

// The verifier stands alone, without Effect; what signs shares its definition of the format.
export { SERVICE_ID, signingString } from "../../verifier/v1.ts"
export { MAX_DRIFT_SECONDS } from "../../verifier/verdict.ts"

/** The `Authorization` value: the timestamp, and the 64 bytes of the signature in standard base64 with padding. */
export const authorizationHeader = (timestamp: number, signature: Uint8Array): string =>
  `Ed25519 ${timestamp}:${Base64.encode(signature)}`

/** Reads an `Authorization` value; the failure names the rule that it breaks and never repeats it. */
export const parseAuthorization = (header: string): Result.Result<Authorization, string> => {
  const read = readAuthorization(header)
  return typeof read === "string" ? Result.fail(read) : Result.succeed(read)
}
