import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { SecureRandom } from "effect/crypto"
import { formatKeyPair, KEY_FORMATS } from "../domain/signing/keyPair.ts"
import { generateKeyPair } from "../layers/signing/KeyGenerator.ts"

const format = Flag.Literals("format", KEY_FORMATS).pipe(
  Flag.withDescription("Key encoding (default: hex)"),
  Flag.withDefault("hex")
)

/** `job-collector keygen`: a new key pair, as lines for an environment file. */
export const keygen = Command.make(
  "keygen",
  { format },
  Effect.fn("keygen")(function* (flags) {
    yield* Console.log(formatKeyPair(yield* generateKeyPair, flags.format).trimEnd())
  }, Effect.provide(SecureRandom.layerWebCrypto))
).pipe(
  Command.withDescription(
    "Print a new Ed25519 key pair; register the public key with the API and keep the private key secret"
  )
)
