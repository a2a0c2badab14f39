import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Logger, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import * as Environment from "../../../src/layers/settings/Environment.ts"
import { followSecret } from "../../../src/layers/settings/FollowSecret.ts"
import * as NativeSigner from "../../../src/layers/signing/NativeSigner.ts"
import { keyId } from "../../../src/services/Signer.ts"
import * as MemoryFileSystem from "../../../src/testing/MemoryFileSystem.ts"
import { rfc8032 } from "../../support/vectors.ts"

const [first, second] = [rfc8032[0]!, rfc8032[1]!]

/** A follower of a file that holds `content` at first, what it took, and its lines. */
const following = Effect.fnUntraced(function* (
  content: string,
  variable: "REDIS_PASSWORD_FILE" | "ED25519_PRIVATE_KEY_FILE",
  use: (value: Redacted.Redacted<string>) => Effect.Effect<Readonly<Record<string, string>>, string>
) {
  const fs = yield* FileSystem.FileSystem
  const lines: Array<{ message: unknown; level: string } & Record<string, unknown>> = []
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    const said = Array.isArray(message) ? message[0] : message
    lines.push({ message: said, level: logLevel, ...fiber.getRef(References.CurrentLogAnnotations) })
  })
  const path = "/secret"
  yield* fs.writeFileString(path, content)
  yield* followSecret({
    variable,
    file: variable === "REDIS_PASSWORD_FILE" ? Environment.redisPassword : Environment.privateKeyFile,
    present: Redacted.make(content.trim()),
    use,
    hurry: Effect.never
  }).pipe(
    Effect.provide(
      Layer.merge(Logger.layer([logger]), ConfigProvider.layer(ConfigProvider.fromEnv({ env: { [variable]: path } })))
    ),
    Effect.forkChild
  )
  const look = TestClock.adjust("2 seconds")
  yield* look
  return { lines, look, put: (text: string) => fs.writeFileString(path, text), remove: fs.remove(path) }
})

const passwords = Effect.fnUntraced(function* (content: string) {
  const taken: Array<string> = []
  const follower = yield* following(content, "REDIS_PASSWORD_FILE", (value) =>
    Effect.sync(() => {
      taken.push(Redacted.value(value))
      return {}
    })
  )
  return { ...follower, taken }
})

const reloaded = { message: "secret.reloaded", level: "Info", variable: "REDIS_PASSWORD_FILE" }

describe("a secret's file", () => {
  it.effect("is read again, and another content used and said once", () =>
    Effect.gen(function* () {
      const { lines, look, put, taken } = yield* passwords("old one\n")
      assert.deepStrictEqual(taken, [])
      yield* put("new one\n")
      yield* look
      yield* look
      assert.deepStrictEqual(taken, ["new one"])
      yield* put("old one")
      yield* look
      assert.deepStrictEqual(taken, ["new one", "old one"])
      assert.deepStrictEqual(lines, [reloaded, reloaded])
    }).pipe(Effect.provide(MemoryFileSystem.layer))
  )

  it.effect(
    "keeps the value before while it is empty or gone: said once for each problem, without content and path",
    () =>
      Effect.gen(function* () {
        const { lines, look, put, remove, taken } = yield* passwords("old one")
        yield* put("\n")
        yield* look
        yield* look
        yield* remove
        yield* look
        yield* look
        assert.deepStrictEqual(taken, [])
        yield* put("new one")
        yield* look
        assert.deepStrictEqual(taken, ["new one"])
        const refused = { message: "secret.refused", level: "Error", variable: "REDIS_PASSWORD_FILE" }
        assert.deepStrictEqual(lines, [
          { ...refused, problem: "the file that it names must contain a password" },
          { ...refused, problem: "must name a readable file: there is no such file" },
          reloaded
        ])
      }).pipe(Effect.provide(MemoryFileSystem.layer))
  )

  it.effect("of a key that does not belong to the public key is refused, and taken when it does", () =>
    Effect.gen(function* () {
      const taken: Array<string> = []
      const expects = { publicKey: second.publicKey }
      const { lines, look, put } = yield* following(first.secretKey, "ED25519_PRIVATE_KEY_FILE", (value) =>
        NativeSigner.make(value, expects).pipe(
          Effect.map((signer) => {
            taken.push(keyId(signer))
            return { key_id: keyId(signer) }
          }),
          Effect.mapError(({ problem }) => problem)
        )
      )
      yield* put(rfc8032[2]!.secretKey)
      yield* look
      yield* put("no key")
      yield* look
      assert.deepStrictEqual(taken, [])
      yield* put(second.secretKey)
      yield* look
      const key_id = taken[0]
      assert.match(key_id ?? "", /^[0-9a-f]{16}$/)
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        ["secret.refused", "secret.refused", "secret.reloaded"]
      )
      assert.strictEqual(lines[0]?.problem, "the public key does not belong to the private key")
      assert.strictEqual(lines[2]?.key_id, key_id)
      for (const secret of ["no key", second.secretKey, rfc8032[2]!.secretKey]) {
        assert.notInclude(JSON.stringify(lines), secret)
      }
    }).pipe(Effect.provide(MemoryFileSystem.layer))
  )

  it.effect("is looked at again after a value by which its use died, of which the words are not repeated", () =>
    Effect.gen(function* () {
      const taken: Array<string> = []
      const { lines, look, put } = yield* following("old one", "REDIS_PASSWORD_FILE", (value) =>
        Redacted.value(value) === "deadly"
          ? Effect.die(new Error("deadly"))
          : Effect.sync(() => {
              taken.push(Redacted.value(value))
              return {}
            })
      )
      yield* put("deadly")
      yield* look
      yield* look
      yield* put("new one")
      yield* look
      assert.deepStrictEqual(taken, ["new one"])
      const problem = "it could not be used: an internal error"
      const refused = { message: "secret.refused", level: "Error", variable: "REDIS_PASSWORD_FILE", problem }
      assert.deepStrictEqual(lines, [refused, reloaded])
    }).pipe(Effect.provide(MemoryFileSystem.layer))
  )

  it.effect("that no variable names is not followed", () =>
    followSecret({
      variable: "REDIS_PASSWORD_FILE",
      file: Environment.redisPassword,
      present: Redacted.make("any"),
      use: () => Effect.succeed({}),
      hurry: Effect.never
    }).pipe(
      Effect.provide(Layer.merge(MemoryFileSystem.layer, ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))))
    )
  )
})
