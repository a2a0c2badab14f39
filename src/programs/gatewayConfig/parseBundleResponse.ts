/** Reads the configuration bundle that the API sent. */
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { Result } from "effect"
import { type Bundle, ConfigRefused, decodeBundle } from "../../domain/gatewayConfig/bundle.ts"
import { digestProblem } from "../../domain/gatewayConfig/digest.ts"
import type { ConfigurationsAnswer } from "../../services/JobsApi.ts"

type Fetched = Extract<ConfigurationsAnswer, { readonly _tag: "Fetched" }>

/** The bundle of an answer: its bytes are those of its `Content-Digest`, where it has one, and they decode. */
export const parseBundleResponse = ({ body, contentDigest }: Fetched): Result.Result<Bundle, ConfigRefused> => {
  const mismatch =
    contentDigest === undefined
      ? undefined
      : digestProblem(contentDigest, body, { "sha-256": sha256, "sha-512": sha512 })
  return mismatch === undefined
    ? decodeBundle(body)
    : Result.fail(new ConfigRefused({ rule: "digest", problem: mismatch, version: undefined }))
}
