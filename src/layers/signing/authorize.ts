/** The signature that every request carries, whomever it goes to (contract section 4). */
import { type Clock, Effect } from "effect"
import * as Hex from "effect/encoding/Hex"
import { utf8 } from "../../domain/signing/bytes.ts"
import { keyIdOf } from "../../domain/signing/keyPair.ts"
import { authorizationHeader, signingString } from "../../domain/signing/signature.ts"
import type { Signer } from "../../services/Signer.ts"

/** The key of one request. */
export interface PresentKey {
  readonly id: string
  readonly sign: Signer["Service"]["sign"]
}

/** Signs a body with the time it is now, by the key of now: the next request may have another. */
export const makeAuthorize = (signer: Signer["Service"], serviceId: string) => {
  let known = { publicKey: signer.publicKey, id: keyIdOf(signer.publicKey, signer) }
  const presentKey = (): PresentKey => {
    const { publicKey, sign } = signer
    if (publicKey !== known.publicKey) known = { publicKey, id: keyIdOf(publicKey, signer) }
    return { id: known.id, sign }
  }
  return (body: Uint8Array, clock: Clock.Clock) => {
    const key = presentKey()
    const timestamp = Math.floor(clock.currentTimeMillisUnsafe() / 1_000)
    const message = utf8(signingString(timestamp, Hex.encode(signer.sha256(body)), serviceId))
    return Effect.map(key.sign(message), (signature) => ({
      key,
      authorization: authorizationHeader(timestamp, signature)
    }))
  }
}
