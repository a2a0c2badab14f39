import { Cause, Duration, Effect, Layer, Result } from "effect"
import { PUBLIC_KEY_FORMS, parsePublicKey } from "../../domain/signing/publicKey.ts"
import { Signer, SignerError } from "../../services/Signer.ts"
import { native } from "./native.ts"

/** A key that is kept elsewhere: in a key management service, a hardware module, another process. */
export interface RemoteSignerOptions {
  /** Hex, base64, base64url or SPKI PEM. */
  readonly publicKey: string
  /**
   * Has a message signed by pure Ed25519 (the message itself, not its hash): the signature's 64 bytes. It may fail and throw.
   * `signal` is aborted when nobody waits for the promise any more; an effect is interrupted instead.
   */
  readonly sign: (message: Uint8Array, signal: AbortSignal) => Promise<Uint8Array> | Effect.Effect<Uint8Array, unknown>
  /** How long one signature may take; less than `apiTimeout`, which it is part of. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
}

const failure = (problem: string) => new SignerError({ reason: "SigningFailed", problem })

const failed = (error: unknown) =>
  failure(`the remote signer failed: ${error instanceof Error ? error.message : String(error)}`)

/** A host's effect, of which a defect and an interruption from within are failures like any other. */
const tamed = (effect: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, SignerError> =>
  Effect.catchCause(effect, (cause) =>
    Effect.fail(
      Cause.hasInterruptsOnly(cause) ? failure("the remote signer interrupted itself") : failed(Cause.squash(cause))
    )
  )

const signatureOf = (answer: unknown): Effect.Effect<Uint8Array, SignerError> => {
  if (!(answer instanceof Uint8Array)) return Effect.fail(failure("the remote signer gave no Uint8Array"))
  if (answer.length === 64) return Effect.succeed(answer)
  return Effect.fail(failure(`the remote signer gave ${answer.length} bytes; a signature has 64`))
}

/**
 * The signer whose private key is elsewhere: this process has only the public key, and a function that signs. What fails, breaks or
 * takes longer than `timeout` there is a failed attempt, retried like any other; health says `signing_key` is down meanwhile.
 * That both keys belong together is asked by health, not of every signature. Fails with {@link SignerError} `InvalidKey`.
 *
 * Every request takes a signature, one more for each added scheme; health takes one every `healthInterval`.
 *
 * @example
 * ```ts
 * import { layerRemoteSigner } from "job-collector"
 *
 * interface KeyService {
 *   readonly sign: (keyName: string, message: Uint8Array, options: { signal: AbortSignal }) => Promise<Uint8Array>
 * }
 *
 * export const signer = (keys: KeyService) =>
 *   layerRemoteSigner({
 *     publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
 *     sign: (message, signal) => keys.sign("job-collector", message, { signal })
 *   })
 * ```
 */
export const layer = ({
  publicKey,
  sign,
  timeout = "5 seconds"
}: RemoteSignerOptions): Layer.Layer<Signer, SignerError> =>
  Layer.effect(
    Signer,
    Effect.gen(function* () {
      const key = yield* Effect.fromResult(
        Result.mapError(
          parsePublicKey(publicKey),
          (problem) =>
            new SignerError({
              reason: "InvalidKey",
              problem: `the public key must be ${PUBLIC_KEY_FORMS}: it ${problem}`
            })
        )
      )
      const limit = Duration.fromInputUnsafe(timeout)
      const verify = native.verifier(key)
      return Signer.of({
        publicKey: key,
        sign: (message) =>
          Effect.tryPromise({ try: async (signal) => sign(message, signal), catch: failed }).pipe(
            Effect.flatMap((answer) => (Effect.isEffect(answer) ? tamed(answer) : Effect.succeed<unknown>(answer))),
            Effect.flatMap(signatureOf),
            Effect.timeoutOrElse({
              duration: limit,
              orElse: () => Effect.fail(failure(`the remote signer gave no signature within ${Duration.format(limit)}`))
            })
          ),
        verify: (message, signature) => Effect.sync(() => verify(message, signature)),
        sha256: native.sha256,
        hasher: native.hasher
      })
    })
  )
