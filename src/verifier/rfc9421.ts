import { base64Of, utf8Of } from "./bytes.ts"
import { type ReadClaim, readTimestamp } from "./headers.ts"
import { readSignature } from "./v1.ts"

/**
 * HTTP Message Signatures (RFC 9421) with a Content-Digest (RFC 9530), in the one form that the collector sends: the label `sig1`;
 * `@method`, `@target-uri`, `content-digest`, `idempotency-key` (where the request has one) and `x-service-id`, in this order; `created`,
 * `keyid` and `alg`.
 */
export interface SignedComponents {
  readonly method: string
  /** The absolute URL, as the sender wrote it. */
  readonly targetUri: string
  readonly sha256: Uint8Array
  readonly idempotencyKey: string | undefined
  readonly serviceId: string
  /** Unix seconds. */
  readonly created: number
  readonly keyId: string
}

/** The value of `Content-Digest`. */
export const contentDigest = (sha256: Uint8Array): string => `sha-256=:${base64Of(sha256)}:`

const names = (hasIdempotencyKey: boolean) =>
  `("@method" "@target-uri" "content-digest" ${hasIdempotencyKey ? '"idempotency-key" ' : ""}"x-service-id")`

/** What `Signature-Input` says behind its label, and what is signed last. */
export const signatureParams = ({ created, idempotencyKey, keyId }: SignedComponents): string =>
  `${names(idempotencyKey !== undefined)};created=${created};keyid="${keyId}";alg="ed25519"`

/** The signature base (RFC 9421 section 2.5). */
export const signatureBase = (of: SignedComponents): string =>
  [
    `"@method": ${of.method}`,
    `"@target-uri": ${of.targetUri}`,
    `"content-digest": ${contentDigest(of.sha256)}`,
    ...(of.idempotencyKey === undefined ? [] : [`"idempotency-key": ${of.idempotencyKey}`]),
    `"x-service-id": ${of.serviceId}`,
    `"@signature-params": ${signatureParams(of)}`
  ].join("\n")

const INPUT = /^sig1=(\([^()]*\));created=([0-9]+);keyid="([0-9a-f]{16})";alg="ed25519"$/
const SIGNATURE = /^sig1=:([A-Za-z0-9+/=]+):$/

export const readRfc9421: ReadClaim = (headers, { method, url }, serviceId) => {
  const input = headers.required("Signature-Input")
  const value = headers.required("Signature")
  const digest = headers.required("Content-Digest")
  const idempotencyKey = headers.optional("Idempotency-Key")
  if (input === undefined || value === undefined || digest === undefined) return undefined
  const [, covered, digits = "", keyId = ""] = INPUT.exec(input) ?? []
  const created = readTimestamp(digits)
  if (created === undefined || covered !== names(idempotencyKey !== undefined)) {
    const form = `sig1=${names(idempotencyKey !== undefined)};created=…;keyid="…";alg="ed25519"`
    return headers.malformed("Signature-Input", `must be ${form}`)
  }
  const signature = readSignature(SIGNATURE.exec(value)?.[1] ?? "")
  if (signature === undefined) return headers.malformed("Signature", "must be sig1=:…: with 64 bytes in base64")
  return {
    keyId,
    timestamp: created,
    signatures: [signature],
    message: (_, sha256) => {
      if (typeof method !== "string" || typeof url !== "string" || digest !== contentDigest(sha256)) return undefined
      return utf8Of(signatureBase({ method, targetUri: url, sha256, idempotencyKey, serviceId, created, keyId }))
    }
  }
}
