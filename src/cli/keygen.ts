import { Console, Effect, FileSystem, Option, Path, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import { SecureRandom } from "effect/crypto"
import { formatKey, formatKeyPair, KEY_FORMATS, type KeyPair, keyIdOf, publicJwk } from "../domain/signing/keyPair.ts"
import { generateKeyPair } from "../layers/signing/KeyGenerator.ts"
import { native } from "../layers/signing/native.ts"
import { printLine } from "./output.ts"

const format = Flag.Literals("format", KEY_FORMATS).pipe(
  Flag.withDescription("Key encoding (default: hex)"),
  Flag.withDefault("hex")
)

const out = Flag.String("out").pipe(
  Flag.withDescription("Write the keys into this folder, as files that only you may read, instead of printing them"),
  Flag.optional
)

/** Writes both keys, never over a file that is there, and says what to register. */
const writeFiles = Effect.fnUntraced(function* (
  pair: KeyPair,
  folder: string,
  flags: { format: "hex" | "base64" | "pem" }
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* fs.makeDirectory(folder, { recursive: true, mode: 0o700 })
  const keyId = keyIdOf(pair.publicKey, native)
  // Named by the key's id, so that the next key of a rotation stands beside this one.
  const write = (kind: "private" | "public", text: string) => {
    const file = path.join(folder, `ed25519-${keyId}.${kind}`)
    return Effect.as(fs.writeFileString(file, `${text}\n`, { flag: "wx", mode: 0o600 }), file)
  }
  const privateFile = yield* write("private", formatKey("private", Redacted.value(pair.seed), flags.format))
  const publicFile = yield* write("public", formatKey("public", pair.publicKey, flags.format))
  yield* printLine(`Private key (ED25519_PRIVATE_KEY_FILE): ${privateFile}`)
  yield* printLine(`Public key: ${publicFile}`)
  yield* printLine(`Key id: ${keyId}`)
  yield* printLine(`JWK: ${JSON.stringify(publicJwk(pair.publicKey, keyId))}`)
})

/** `job-collector keygen`: a new key pair, as lines for an environment file or as files. */
export const keygen = Command.make(
  "keygen",
  { format, out },
  Effect.fn("keygen")(function* (flags) {
    const pair = yield* generateKeyPair
    if (Option.isSome(flags.out)) return yield* writeFiles(pair, flags.out.value, flags)
    yield* Console.log(formatKeyPair(pair, flags.format).trimEnd())
  }, Effect.provide(SecureRandom.layerWebCrypto))
)
