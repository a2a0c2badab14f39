/** A signer for simulations: as deterministic as Ed25519 and as hard to fool by a bug, at a hundredth of its cost. */
import { sha256 } from "@noble/hashes/sha2.js"
import { Effect, Layer, Result } from "effect"
import { Hex } from "effect/encoding"
import { sameBytes } from "../domain/signing/bytes.ts"
import { parseAuthorization, signingString } from "../domain/signing/signature.ts"
import { keyId as keyIdOf, Signer } from "../services/Signer.ts"

const encoder = new TextEncoder()
const words = 16

/**
 * 64 bytes that only this message gives, as far as chance goes: two 32-bit hashes (FNV-1a, and one with another start and
 * factor), each mixed into half of the sixteen words. Anybody can compute them: they prove nothing outside of tests.
 */
const mac = (message: Uint8Array): Uint8Array => {
  let even = 0x811c9dc5
  let odd = 0x050c5d1f
  for (const byte of message) {
    even = Math.imul(even ^ byte, 0x01000193)
    odd = Math.imul(odd ^ byte, 0x0100019d) + 1
  }
  const bytes = new Uint8Array(4 * words)
  const view = new DataView(bytes.buffer)
  for (let word = 0; word < words; word++) {
    let hash = (word % 2 === 0 ? even : odd) + Math.imul(word, 0x9e3779b9)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    view.setUint32(4 * word, hash ^ (hash >>> 16))
  }
  return bytes
}

/** The bytes that are signed are the very ones that are verified: nobody changes a request's body. */
const hashes = new WeakMap<Uint8Array, Uint8Array>()

const sha256Once = (bytes: Uint8Array): Uint8Array => {
  const known = hashes.get(bytes)
  if (known !== undefined) return known
  const hash = sha256(bytes)
  hashes.set(bytes, hash)
  return hash
}

const service = Signer.of({
  publicKey: sha256(encoder.encode("a key that is no secret")),
  sign: (message) => Effect.sync(() => mac(message)),
  verify: (message, signature) => Effect.sync(() => sameBytes(mac(message), signature)),
  sha256: sha256Once,
  hasher: () => sha256.create()
})

/** The id of the key that {@link layer} signs with. */
export const keyId = keyIdOf(service)

/** `Signer` of a simulated world. */
export const layer: Layer.Layer<Signer> = Layer.succeed(Signer, service)

/** What an `Authorization` header of {@link layer} says of a body: its time in Unix seconds, or what is wrong with it. */
export const verify = (request: {
  readonly authorization: string | undefined
  readonly serviceId: string | undefined
  readonly body: Uint8Array
}): Result.Result<number, string> => {
  if (request.authorization === undefined) return Result.fail("there is no Authorization header")
  return Result.flatMap(parseAuthorization(request.authorization), ({ signature, timestamp }) => {
    const text = signingString(timestamp, Hex.encode(sha256Once(request.body)), request.serviceId ?? "")
    return sameBytes(mac(encoder.encode(text)), signature)
      ? Result.succeed(timestamp)
      : Result.fail("the signature is not of this body, time and service")
  })
}
