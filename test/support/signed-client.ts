import { createHash, randomBytes } from "node:crypto"
import { authorizationHeader, signingString } from "../../src/domain/signing/signature.ts"
import { native } from "../../src/layers/signing/native.ts"

/** A key pair that signs as a service; its public key as hex. */
export const testKey = () => {
  const { sign, publicKey } = native.signer(randomBytes(32))
  return { sign, publicKey: Buffer.from(publicKey).toString("hex") }
}
export type TestKey = ReturnType<typeof testKey>

/** What may be other than usual in a signed request. */
export interface Departures {
  readonly serviceId?: string
  /** Seconds to add to the time. */
  readonly skew?: number
  /** Sent instead of the body that was signed. */
  readonly sentBody?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The headers of a request as the collector would sign it now. */
export const signedHeaders = (key: TestKey, body: string, departures: Departures = {}): Record<string, string> => {
  const { serviceId = "job-collector", skew = 0, headers } = departures
  const timestamp = Math.floor(Date.now() / 1000) + skew
  const digest = createHash("sha256").update(body).digest("hex")
  return {
    authorization: authorizationHeader(timestamp, key.sign(Buffer.from(signingString(timestamp, digest, serviceId)))),
    "x-service-id": serviceId,
    ...headers
  }
}
