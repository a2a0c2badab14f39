import { Context, type Effect, Schema } from "effect"
import * as Hex from "effect/encoding/Hex"
import type { Hasher } from "../domain/signing/ed25519.ts"

/** Key material that cannot be used, or a key that does not sign. `problem` names the rule, never the key. */
export class SignerError extends Schema.TaggedError<SignerError>()("SignerError", {
  reason: Schema.Literals(["InvalidKey", "KeyMismatch", "SigningFailed"]),
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/**
 * Ed25519 (RFC 8032) with a private key that never leaves the layer, and the SHA-256 that requests are signed over. The key
 * may be another one later: `publicKey`, `sign` and `verify` belong together where they are taken at once.
 */
export class Signer extends Context.Service<
  Signer,
  {
    /** The public key, 32 bytes. */
    readonly publicKey: Uint8Array
    /** Signs a message: 64 bytes. */
    readonly sign: (message: Uint8Array) => Effect.Effect<Uint8Array, SignerError>
    /** Verifies a signature of this key over a message (used by the health check). */
    readonly verify: (message: Uint8Array, signature: Uint8Array) => Effect.Effect<boolean>
    /** SHA-256 (FIPS 180-4): 32 bytes. */
    readonly sha256: (bytes: Uint8Array) => Uint8Array
    /** The same of bytes that come piece by piece: of large events it is made over many turns of the event loop. */
    readonly hasher: () => Hasher
  }
>()("job-collector/services/Signer") {}

/** A key's id, by which it may be spoken of: the first 16 hex digits of the SHA-256 of the raw public key. */
export const keyId = ({ publicKey, sha256 }: Pick<Signer["Service"], "publicKey" | "sha256">): string =>
  Hex.encode(sha256(publicKey)).slice(0, 16)
