/** A signer for simulations: as deterministic as Ed25519 and as hard to fool by a bug, at a hundredth of its cost. */
import { sha256 } from "@noble/hashes/sha2.js"
import { Effect, Layer, Result } from "effect"
import { Hex } from "effect/encoding"
import { sameBytes } from "../domain/bytes.ts"
import { parseAuthorization, signingString } from "../domain/signature.ts"
import { Signer } from "../services/Signer.ts"

const secret = new TextEncoder().encode("a key that is no secret")
const encoder = new TextEncoder()

/** 64 bytes that only this message gives: a keyed hash, twice. Anybody can compute it: it proves nothing outside of tests. */
const mac = (message: Uint8Array): Uint8Array => {
  const keyed = new Uint8Array(secret.length + message.length)
  keyed.set(secret)
  keyed.set(message, secret.length)
  const half = sha256(keyed)
  const whole = new Uint8Array(64)
  whole.set(half)
  whole.set(half, 32)
  return whole
}

const service = Signer.of({
  publicKey: sha256(secret),
  sign: (message) => Effect.sync(() => mac(message)),
  verify: (message, signature) => Effect.sync(() => sameBytes(mac(message), signature)),
  sha256
})

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
    const text = signingString(timestamp, Hex.encode(sha256(request.body)), request.serviceId ?? "")
    return sameBytes(mac(encoder.encode(text)), signature)
      ? Result.succeed(timestamp)
      : Result.fail("the signature is not of this body, time and service")
  })
}
