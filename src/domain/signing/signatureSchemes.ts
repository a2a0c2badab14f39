import * as Base64 from "effect/encoding/Base64"
import { contentDigest, type SignedComponents, signatureBase, signatureParams } from "../../verifier/rfc9421.ts"
import { webhookMessage } from "../../verifier/standardWebhooks.ts"
import { utf8 } from "./bytes.ts"

/** How requests can be signed (contract section 4): the `Authorization` header always, the others beside it. */
export const SIGNATURE_SCHEMES = ["v1", "rfc9421", "standard-webhooks"] as const

/** One of {@link SIGNATURE_SCHEMES}. */
export type SignatureScheme = (typeof SIGNATURE_SCHEMES)[number]

/** A request about to be signed. */
export interface Unsigned extends SignedComponents {
  readonly body: Uint8Array
}

/** One more signature of a request: the bytes that are signed, and the headers that say so. */
export interface AddedSignature {
  readonly message: Uint8Array
  readonly headers: (signature: Uint8Array) => Readonly<Record<string, string>>
}

const rfc9421 = (request: Unsigned): AddedSignature => ({
  message: utf8(signatureBase(request)),
  headers: (signature) => ({
    "content-digest": contentDigest(request.sha256),
    "signature-input": `sig1=${signatureParams(request)}`,
    signature: `sig1=:${Base64.encode(signature)}:`
  })
})

/** Of what is delivered only: a request without an idempotency key is no webhook. */
const standardWebhooks = ({ body, created, idempotencyKey }: Unsigned): AddedSignature | undefined =>
  idempotencyKey === undefined
    ? undefined
    : {
        message: webhookMessage(idempotencyKey, created, body),
        headers: (signature) => ({
          "webhook-id": idempotencyKey,
          "webhook-timestamp": `${created}`,
          "webhook-signature": `v1a,${Base64.encode(signature)}`
        })
      }

/** The signatures that schemes add to the `Authorization` header. */
export const addedSignatures = (
  schemes: ReadonlyArray<SignatureScheme>,
  request: Unsigned
): ReadonlyArray<AddedSignature> =>
  [
    schemes.includes("rfc9421") ? rfc9421(request) : undefined,
    schemes.includes("standard-webhooks") ? standardWebhooks(request) : undefined
  ].filter((added) => added !== undefined)
