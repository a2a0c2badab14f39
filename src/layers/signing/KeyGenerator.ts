import { Effect, Redacted } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { KEY_BYTES } from "../../domain/signing/keyEncoding.ts"
import type { KeyPair } from "../../domain/signing/keyPair.ts"
import { native } from "./native.ts"

/** A fresh key pair; its seed comes from `SecureRandom` (`SecureRandom.layerWebCrypto` in production). */
export const generateKeyPair: Effect.Effect<KeyPair, never, SecureRandom.SecureRandom> = Effect.gen(function* () {
  const seed = yield* (yield* SecureRandom.SecureRandom).randomBytes(KEY_BYTES)
  return { seed: Redacted.make(seed, { label: "seed" }), publicKey: native.signer(seed).publicKey }
})
