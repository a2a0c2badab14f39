import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Redacted } from "effect"
import { signerFollowing } from "../../src/cli/followSecrets.ts"
import { Signer } from "../../src/services/Signer.ts"
import * as MemoryFileSystem from "../../src/testing/MemoryFileSystem.ts"
import { waitUntil } from "../support/redis-server.ts"
import { rfc8032 } from "../support/vectors.ts"

const [first, second] = [rfc8032[0]!, rfc8032[1]!]

const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ED25519_PRIVATE_KEY_FILE: "/key" } }))

const until = (what: string, condition: () => boolean) => Effect.promise(() => waitUntil(what, condition))

describe("SIGHUP", () => {
  // The test's clock stands still, so that no look is due by itself.
  it.effect("has the key's file looked at at once, and no longer listened for when the signer is gone", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString("/key", first.secretKey)
      const listeners = process.listenerCount("SIGHUP")
      const listened = until("the signal is listened for", () => process.listenerCount("SIGHUP") > listeners)
      yield* Effect.gen(function* () {
        const signer = yield* Signer
        yield* listened
        for (const { publicKey, secretKey } of [second, first]) {
          yield* fs.writeFileString("/key", secretKey)
          process.emit("SIGHUP")
          yield* until("the key is another", () => Buffer.from(signer.publicKey).toString("hex") === publicKey)
          yield* listened
        }
      }).pipe(Effect.provide(signerFollowing(Redacted.make(first.secretKey), { publicKey: undefined })))
      assert.strictEqual(process.listenerCount("SIGHUP"), listeners)
    }).pipe(Effect.provide(Layer.merge(MemoryFileSystem.layer, environment)))
  )
})
