import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Layer, Redacted, Result } from "effect"
import { Base64, Hex } from "effect/encoding"
import { type Ed25519, publicKeyProblem } from "../../src/domain/signing/ed25519.ts"
import { parsePublicKey } from "../../src/domain/signing/publicKey.ts"
import { authorizationHeader, parseAuthorization, signingString } from "../../src/domain/signing/signature.ts"
import type { SignerOptions } from "../../src/layers/signing/signer.ts"
import { Signer, type SignerError } from "../../src/services/Signer.ts"
import { requestSignatures, rfc8032, rfc9421, speccheck, wycheproof } from "../support/vectors.ts"

const bytes = (hex: string) => Result.getOrThrow(Hex.decode(hex))
const text = (string: string) => new TextEncoder().encode(string)

/** What becomes of each speccheck case under the policy of `src/domain/signing/ed25519.ts`, and why. */
const SPECCHECK_POLICY = [
  ["key", "A of small order"],
  ["key", "A of small order"],
  ["signature", "R of small order"],
  ["accepted", "A and R of mixed order, but the equation without cofactor holds"],
  ["signature", "holds only when multiplied by the cofactor"],
  ["signature", "holds only when multiplied by the cofactor"],
  ["signature", "S ≥ L"],
  ["signature", "S far beyond L"],
  ["signature", "R not canonical"],
  ["signature", "R not canonical"],
  ["key", "A not canonical"],
  ["key", "A not canonical"]
] as const

/** What every Ed25519 implementation and the signer layer on it must do. */
export const signerContract = (
  name: string,
  ed25519: Ed25519,
  layer: (privateKey: Redacted.Redacted<string>, options?: SignerOptions) => Layer.Layer<Signer, SignerError>
) => {
  const build = (privateKey: string, options?: SignerOptions) =>
    Effect.provide(Effect.service(Signer), layer(Redacted.make(privateKey), options))
  const seed = rfc8032[0]!.secretKey
  const publicKey = rfc8032[0]!.publicKey

  describe(`${name}: signer`, () => {
    it.effect.each(rfc8032)("signs and verifies RFC 8032 section 7.1 test $name", (vector) =>
      Effect.gen(function* () {
        const signer = yield* build(vector.secretKey)
        expect(Hex.encode(signer.publicKey)).toBe(vector.publicKey)
        const signature = yield* signer.sign(bytes(vector.message))
        expect(Hex.encode(signature)).toBe(vector.signature)
        expect(yield* signer.verify(bytes(vector.message), signature)).toBe(true)
        expect(yield* signer.verify(Uint8Array.of(...bytes(vector.message), 0), signature)).toBe(false)
      })
    )

    it.effect.each(requestSignatures)("makes the whole header ($timestamp, $service_id)", (vector) =>
      Effect.gen(function* () {
        const signer = yield* build(vector.private_key_hex, { publicKey: vector.public_key_hex })
        const digest = Hex.encode(signer.sha256(text(vector.body_utf8)))
        expect(digest).toBe(vector.body_sha256_hex)
        const signed = text(signingString(vector.timestamp, digest, vector.service_id))
        const signature = yield* signer.sign(signed)
        expect(authorizationHeader(vector.timestamp, signature)).toBe(vector.authorization)
        const read = Result.getOrThrow(parseAuthorization(vector.authorization))
        expect(yield* signer.verify(signed, read.signature)).toBe(true)
      })
    )

    it.effect("answers false, and does not throw, on what is no signature", () =>
      Effect.gen(function* () {
        const signer = yield* build(seed)
        for (const length of [0, 1, 32, 63, 64, 65, 128]) {
          expect(yield* signer.verify(text("x"), new Uint8Array(length).fill(1))).toBe(false)
        }
      })
    )

    it.effect("fails on a key that is none, naming the rule", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(build("abc"))
        expect(error.reason).toBe("InvalidKey")
        expect(error.message).toMatch(/private key must be a 32-byte Ed25519 seed/)
        const other = yield* Effect.flip(build(seed, { publicKey: "abc" }))
        expect(other.reason).toBe("InvalidKey")
        expect(other.message).toMatch(/public key must be an Ed25519 public key/)
      })
    )

    it.effect("shows the seed nowhere: not in itself, in its layer, or in an error", () =>
      Effect.gen(function* () {
        const show = (value: unknown) =>
          `${inspect(value, { depth: 20, showHidden: true })} ${JSON.stringify(value)} ${String(value)}`
        const signer = yield* build(seed)
        const forms = [seed, Base64.encode(bytes(seed)), bytes(seed).join(","), bytes(seed).join(", ")]
        const spoilt = forms.slice(0, 2).map((form) => `${form.slice(0, -3)}!!!`)
        const errors = yield* Effect.forEach(
          [...spoilt, `-----BEGIN PRIVATE KEY-----\n${forms[1]}\n-----END PRIVATE KEY-----`],
          (text) => Effect.flip(build(text))
        )
        const mismatch = yield* Effect.flip(build(seed, { publicKey: rfc8032[1]!.publicKey }))
        const shown = [signer, layer(Redacted.make(seed)), ...errors, mismatch].map(show).join(" ")
        for (const form of forms) expect(shown).not.toContain(form.slice(0, 16))
        expect(shown).not.toContain(Buffer.from(bytes(seed)).toString("hex").match(/../g)!.slice(0, 8).join(" "))
      })
    )

    it.effect("fails on a public key that belongs to another private key", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(build(seed, { publicKey: rfc8032[1]!.publicKey }))
        expect(error.reason).toBe("KeyMismatch")
        expect(error.message).not.toContain(rfc8032[1]!.publicKey)
        yield* build(seed, { publicKey })
      })
    )

    it.effect("compares the public key that a version 2 PEM carries", () =>
      Effect.gen(function* () {
        const pem = (carried: string) =>
          `-----BEGIN PRIVATE KEY-----\n${Base64.encode(bytes(`3051020101300506032b657004220420${seed}812100${carried}`))}\n-----END PRIVATE KEY-----`
        const signer = yield* build(pem(publicKey))
        expect(Hex.encode(signer.publicKey)).toBe(publicKey)
        const error = yield* Effect.flip(build(pem(rfc8032[1]!.publicKey)))
        expect(error.reason).toBe("KeyMismatch")
      })
    )
  })

  describe(`${name}: verifier`, () => {
    it("agrees with all 151 Wycheproof cases", () => {
      let cases = 0
      for (const group of wycheproof) {
        expect(publicKeyProblem(bytes(group.publicKey.pk))).toBeUndefined()
        const verify = ed25519.verifier(Result.getOrThrow(parsePublicKey(group.publicKeyPem)))
        for (const test of group.tests) {
          cases++
          expect(verify(bytes(test.msg), bytes(test.sig)), `tcId ${test.tcId} ${test.comment}`).toBe(
            test.result === "valid"
          )
        }
      }
      expect(cases).toBe(151)
    })

    it.each(SPECCHECK_POLICY.map(([where, why], index) => ({ where, why, index })))(
      "speccheck $index: $where ($why)",
      ({ where, index }) => {
        const vector = speccheck[index]!
        const key = bytes(vector.pub_key)
        if (where === "key") {
          expect(publicKeyProblem(key)).toBeDefined()
        } else {
          expect(publicKeyProblem(key)).toBeUndefined()
          expect(ed25519.verifier(key)(bytes(vector.message), bytes(vector.signature))).toBe(where === "accepted")
        }
      }
    )

    it("takes the signature of RFC 9421 B.2.6", () => {
      const verify = ed25519.verifier(Result.getOrThrow(parsePublicKey(rfc9421.publicKey)))
      const signature = Result.getOrThrow(Base64.decode(rfc9421.expectedSignature))
      expect(verify(text(rfc9421.expectedBase), signature)).toBe(true)
      expect(verify(text(`${rfc9421.expectedBase}\n`), signature)).toBe(false)
    })

    it("refuses a signature with any one bit turned", () => {
      const { sign, publicKey: key } = ed25519.signer(bytes(seed))
      const verify = ed25519.verifier(key)
      const signature = sign(text("message"))
      for (let bit = 0; bit < 512; bit += 7) {
        const turned = Uint8Array.from(signature)
        turned[bit >> 3] = turned[bit >> 3]! ^ (1 << (bit & 7))
        expect(verify(text("message"), turned), `bit ${bit}`).toBe(false)
      }
    })
  })
}
