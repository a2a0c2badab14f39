import { Effect, Layer, Redacted, Result } from "effect"
import { sameBytes } from "../../domain/signing/bytes.ts"
import type { Ed25519 } from "../../domain/signing/ed25519.ts"
import { PRIVATE_KEY_FORMS, parsePrivateKey } from "../../domain/signing/privateKey.ts"
import { PUBLIC_KEY_FORMS, parsePublicKey } from "../../domain/signing/publicKey.ts"
import { Signer, SignerError } from "../../services/Signer.ts"

/** Options of both signer layers. */
export interface SignerOptions {
  /** Hex, base64, base64url or SPKI PEM; where given, building the layer fails unless it belongs to the private key. */
  readonly publicKey?: string | undefined
}

const invalid = (problem: string) => new SignerError({ reason: "InvalidKey", problem })

/** The signer of one implementation; it fails with `InvalidKey` or `KeyMismatch`, naming the rule and never the key. */
export const makeSigner = Effect.fnUntraced(function* (
  ed25519: Ed25519,
  privateKey: Redacted.Redacted<string>,
  options: SignerOptions = {}
) {
  const parsed = yield* Effect.fromResult(
    Result.mapError(parsePrivateKey(privateKey), (problem) =>
      invalid(`the private key must be ${PRIVATE_KEY_FORMS}: it ${problem}`)
    )
  )
  const { publicKey, sign } = ed25519.signer(Redacted.value(parsed.seed))
  if (parsed.publicKey !== undefined && !sameBytes(parsed.publicKey, publicKey)) {
    return yield* new SignerError({
      reason: "KeyMismatch",
      problem: "the private key's PEM carries a public key that does not belong to it"
    })
  }
  if (options.publicKey !== undefined) {
    const expected = yield* Effect.fromResult(
      Result.mapError(parsePublicKey(options.publicKey), (problem) =>
        invalid(`the public key must be ${PUBLIC_KEY_FORMS}: it ${problem}`)
      )
    )
    if (!sameBytes(expected, publicKey)) {
      return yield* new SignerError({
        reason: "KeyMismatch",
        problem: "the public key does not belong to the private key"
      })
    }
  }
  const verify = ed25519.verifier(publicKey)
  return Signer.of({
    publicKey,
    sign: (message) =>
      Effect.try({
        try: () => sign(message),
        catch: () => new SignerError({ reason: "SigningFailed", problem: "the private key did not sign" })
      }),
    verify: (message, signature) => Effect.sync(() => verify(message, signature)),
    sha256: ed25519.sha256,
    hasher: ed25519.hasher
  })
})

/** The layer of {@link makeSigner}. */
export const signerLayer = (
  ed25519: Ed25519,
  privateKey: Redacted.Redacted<string>,
  options?: SignerOptions
): Layer.Layer<Signer, SignerError> => Layer.effect(Signer, makeSigner(ed25519, privateKey, options))
