import { utf8Of } from "./bytes.ts"
import { type ReadClaim, readTimestamp } from "./headers.ts"
import { readSignature } from "./v1.ts"

/**
 * Standard Webhooks with an asymmetric key (`v1a`): Ed25519 over `{webhook-id}.{webhook-timestamp}.{body}`. The service id is not
 * signed; it only says whose keys are tried.
 */
export const webhookMessage = (id: string, timestamp: number, body: Uint8Array): Uint8Array => {
  const head = utf8Of(`${id}.${timestamp}.`)
  const message = new Uint8Array(head.length + body.length)
  message.set(head)
  message.set(body, head.length)
  return message
}

/** Signatures read of one header at most: each may cost a verification. */
const MAX_SIGNATURES = 4

export const readStandardWebhooks: ReadClaim = (headers) => {
  const id = headers.required("webhook-id")
  const digits = headers.required("webhook-timestamp")
  const value = headers.required("webhook-signature")
  const keyId = headers.optional("X-Key-Id")
  if (id === undefined || digits === undefined || value === undefined) return undefined
  const timestamp = readTimestamp(digits)
  if (!/^[!-~]{1,256}$/.test(id)) return headers.malformed("webhook-id", "must be 1 to 256 characters from ! to ~")
  if (timestamp === undefined) return headers.malformed("webhook-timestamp", "must be Unix seconds in decimal")
  const offered = value.split(" ").filter((text) => text.startsWith("v1a,"))
  const signatures = offered.map((text) => readSignature(text.slice(4))).filter((bytes) => bytes !== undefined)
  if (signatures.length === 0 || signatures.length < offered.length || offered.length > MAX_SIGNATURES) {
    return headers.malformed("webhook-signature", `must have 1 to ${MAX_SIGNATURES} of v1a, each 64 bytes in base64`)
  }
  return { keyId, timestamp, signatures, message: (body) => webhookMessage(id, timestamp, body) }
}
