import { spawnSync } from "node:child_process"
import { createPrivateKey, createPublicKey } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Hex } from "effect/encoding"
import { formatKeyPair, KEY_FORMATS } from "../../src/domain/signing/keyPair.ts"
import { parsePrivateKey, pkcs8Of } from "../../src/domain/signing/privateKey.ts"
import { generateKeyPair } from "../../src/layers/signing/KeyGenerator.ts"

it.effect("makes a pair that belongs together, another one each time", () =>
  Effect.gen(function* () {
    const first = yield* generateKeyPair
    const second = yield* generateKeyPair
    expect(Hex.encode(first.publicKey)).not.toBe(Hex.encode(second.publicKey))
    const der = Buffer.from(pkcs8Of(Redacted.value(first.seed)))
    const derived = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }))
    expect(derived.export({ format: "jwk" }).x).toBe(Buffer.from(first.publicKey).toString("base64url"))
  }).pipe(Effect.provide(SecureRandom.layerWebCrypto))
)

it.effect.each(KEY_FORMATS)("prints %s lines that env file readers hand on unharmed", (format) =>
  Effect.gen(function* () {
    const pair = yield* generateKeyPair
    const folder = mkdtempSync(join(tmpdir(), "keygen-"))
    try {
      const file = join(folder, "env")
      writeFileSync(file, `${formatKeyPair(pair, format)}\n`)
      const print = "process.stdout.write(process.env.ED25519_PRIVATE_KEY)"
      const byNode = spawnSync(process.execPath, [`--env-file=${file}`, "-e", print], { encoding: "utf8" }).stdout
      const byShell = spawnSync("sh", ["-c", `set -a; . "${file}"; exec "${process.execPath}" -e "${print}"`], {
        encoding: "utf8"
      }).stdout
      for (const text of [byNode, byShell]) {
        const read = yield* Effect.fromResult(parsePrivateKey(Redacted.make(text)))
        expect(Redacted.value(read.seed)).toEqual(Redacted.value(pair.seed))
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }).pipe(Effect.provide(SecureRandom.layerWebCrypto))
)
