import { hexOf } from "./bytes.ts"
import type { Primitives } from "./primitives.ts"
import { type PublicKeyInput, readPublicKey } from "./publicKey.ts"
import { SERVICE_ID } from "./v1.ts"

/** The public keys of each service id; several, while one key replaces another. */
export type TrustedServices = Readonly<Record<string, ReadonlyArray<PublicKeyInput>>>

/** A public key that must not be trusted, or options that cannot be met. The message names service, key and rule. */
export class TrustedKeysError extends Error {
  override readonly name = "TrustedKeysError"
}

/** A key that has passed the policy, ready to verify. */
export interface TrustedKey {
  readonly publicKey: Uint8Array
  readonly keyId: Promise<string>
  readonly verify: ReturnType<Primitives["verifier"]>
}

/** The first 16 hex digits of the SHA-256 of a public key's 32 bytes: what `X-Key-Id` says. */
const keyIdOf = async (publicKey: Uint8Array, { sha256 }: Pick<Primitives, "sha256">): Promise<string> =>
  hexOf((await sha256(publicKey)).subarray(0, 8))

/** Loads the keys of all services; throws {@link TrustedKeysError}, naming service, place in the list and rule. */
export const loadTrustedKeys = (
  services: TrustedServices,
  primitives: Primitives
): ReadonlyMap<string, ReadonlyArray<TrustedKey>> => {
  // From JavaScript.
  if (typeof services !== "object" || services === null)
    throw new TrustedKeysError("services must name the service ids that may call, each with its public keys")
  return new Map(
    Object.entries(services).map(([serviceId, keys]) => {
      if (!SERVICE_ID.test(serviceId)) {
        throw new TrustedKeysError(`the service id ${JSON.stringify(serviceId)} must match ${SERVICE_ID.source}`)
      }
      if (keys.length === 0) throw new TrustedKeysError(`the service ${serviceId} has no public key`)
      const loaded = keys.map((key, index): TrustedKey => {
        const publicKey = readPublicKey(key)
        if (typeof publicKey === "string") {
          throw new TrustedKeysError(`public key ${index + 1} of the service ${serviceId} ${publicKey}`)
        }
        const keyId = keyIdOf(publicKey, primitives)
        // Where the runtime has no SHA-256, each verification fails and says so; unawaited, the promise would end the process.
        keyId.catch(() => undefined)
        return { publicKey, keyId, verify: primitives.verifier(publicKey) }
      })
      return [serviceId, loaded]
    })
  )
}
