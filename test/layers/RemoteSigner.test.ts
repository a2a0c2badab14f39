import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { Hex } from "effect/encoding"
import { TestClock } from "effect/testing"
import { native } from "../../src/layers/signing/native.ts"
import * as RemoteSigner from "../../src/layers/signing/RemoteSigner.ts"
import { keyProblem } from "../../src/programs/health/keyCheck.ts"
import { JobsApi } from "../../src/services/JobsApi.ts"
import { Signer } from "../../src/services/Signer.ts"
import { delivery, success, withApi } from "../support/answering-client.ts"
import { rfc8032 } from "../support/vectors.ts"

const [{ publicKey, secretKey }, other] = [rfc8032[0]!, rfc8032[1]!]
const key = native.signer(Result.getOrThrow(Hex.decode(secretKey)))

type Sign = RemoteSigner.RemoteSignerOptions["sign"]

/** What becomes of one delivery, and what health says of the key, as far as they come in 30 seconds. */
const deliverWith = Effect.fnUntraced(function* (sign: Sign) {
  const signer = RemoteSigner.layer({ publicKey, sign })
  const { layer, requests } = withApi(() => Effect.succeed(new Response(success)), { signer })
  const delivered = yield* JobsApi.use((api) => api.deliver(delivery())).pipe(Effect.provide(layer), Effect.forkChild)
  const checked = yield* Signer.use(keyProblem).pipe(Effect.provide(signer), Effect.forkChild)
  yield* TestClock.adjust("30 seconds")
  return { result: yield* Fiber.join(delivered), problem: yield* Fiber.join(checked), requests }
})

const wrong: ReadonlyArray<readonly [what: string, sign: Sign, problem: string]> = [
  ["rejects", () => Promise.reject(new Error("throttled")), "the remote signer failed: throttled"],
  ["rejects with text", () => Promise.reject("throttled"), "the remote signer failed: throttled"],
  ["fails", () => Effect.fail("throttled"), "the remote signer failed: throttled"],
  [
    "throws",
    () => {
      throw new Error("no such key")
    },
    "the remote signer failed: no such key"
  ],
  ["dies", () => Effect.die(new Error("a bug")), "the remote signer failed: a bug"],
  ["interrupts itself", () => Effect.interrupt, "the remote signer interrupted itself"],
  [
    "gives the wrong size",
    () => Promise.resolve(new Uint8Array(63)),
    "the remote signer gave 63 bytes; a signature has 64"
  ],
  ["gives text", () => Promise.resolve("ab" as never), "the remote signer gave no Uint8Array"],
  ["gives nothing at all", () => undefined as never, "the remote signer gave no Uint8Array"],
  ["never answers", () => new Promise(() => {}), "the remote signer gave no signature within 5s"],
  ["never ends", () => Effect.never, "the remote signer gave no signature within 5s"]
]

describe("a remote signer", () => {
  it.effect.each<readonly [string, Sign]>([
    ["a promise", async (message) => key.sign(message)],
    ["an effect", (message) => Effect.sync(() => key.sign(message))],
    [
      "a slow effect",
      (message) =>
        Effect.delay(
          Effect.sync(() => key.sign(message)),
          "4900 millis"
        )
    ]
  ])("signs by %s", ([, sign]) =>
    Effect.gen(function* () {
      const { problem, requests, result } = yield* deliverWith(sign)
      assert.strictEqual(result._tag, "Accepted")
      assert.strictEqual(problem, undefined)
      assert.strictEqual(requests.length, 1)
      assert.match(requests[0]?.headers.authorization ?? "", /^Ed25519 0:/)
    })
  )

  it.effect.each(wrong)("that %s is a failed attempt, and its key is down", ([, sign, problem]) =>
    Effect.gen(function* () {
      const seen = yield* deliverWith(sign)
      assert.strictEqual(seen.problem, problem)
      assert.deepStrictEqual(seen.requests, [])
      assert.deepInclude(seen.result, {
        _tag: "Failed",
        errorCode: "NETWORK",
        errorMessage: `the request could not be signed: ${problem}`
      })
    })
  )

  it.effect("hears when nobody waits any more", () =>
    Effect.gen(function* () {
      const signals: Array<AbortSignal> = []
      yield* deliverWith((_, signal) => {
        signals.push(signal)
        return new Promise(() => {})
      })
      assert.deepStrictEqual(
        signals.map(({ aborted }) => aborted),
        [true, true]
      )
    })
  )

  it.effect("whose keys do not belong together is told by health", () =>
    Effect.gen(function* () {
      const stranger = native.signer(Result.getOrThrow(Hex.decode(other.secretKey)))
      const { problem } = yield* deliverWith(async (message) => stranger.sign(message))
      assert.strictEqual(problem, "a signature just made does not verify")
    })
  )

  it.effect("is not built on what is no public key", () =>
    Effect.gen(function* () {
      const layer = RemoteSigner.layer({ publicKey: "abc", sign: async (message) => key.sign(message) })
      const error = yield* Effect.flip(Effect.provide(Effect.service(Signer), layer))
      assert.strictEqual(error.reason, "InvalidKey")
      assert.match(error.problem, /^the public key must be /)
    })
  )
})

describe("health", () => {
  it.effect.each([
    ["dies", Effect.die(new Error("a bug")), "signing broke off: a bug"],
    ["interrupts itself", Effect.interrupt, "signing broke off: it interrupted itself"],
    ["never answers", Effect.never, "no signature within 10s"]
  ] as const)("says so of a host's own signer that %s", ([, sign, expected]) =>
    Effect.gen(function* () {
      const signer = {
        ...key,
        hasher: native.hasher,
        sha256: native.sha256,
        sign: () => sign,
        verify: () => Effect.succeed(true)
      }
      const fiber = yield* Effect.forkChild(keyProblem(signer))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), expected)
    })
  )
})
