import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { Hex } from "effect/encoding"
import { TestClock } from "effect/testing"
import type { SignedRequest } from "../../src/domain/signing/requestVerification.ts"
import { authorizationHeader, signingString } from "../../src/domain/signing/signature.ts"
import { native } from "../../src/layers/signing/native.ts"
import { noble } from "../../src/layers/signing/noble.ts"
import { layer, makeRequestVerifier, type RequestVerifierOptions } from "../../src/layers/signing/RequestVerifier.ts"
import { RequestVerifier } from "../../src/services/RequestVerifier.ts"
import { requestSignatures, speccheck } from "../support/vectors.ts"

const text = (string: string) => new TextEncoder().encode(string)
const bytes = (hex: string) => Result.getOrThrow(Hex.decode(hex))
const old = native.signer(new Uint8Array(32).fill(1))
const fresh = native.signer(new Uint8Array(32).fill(2))
const services = { "job-collector": [old.publicKey, Hex.encode(fresh.publicKey)] }

const signed = (options: {
  readonly at: number
  readonly by?: typeof old
  readonly body?: string
  readonly method?: string
  readonly serviceId?: string
}): SignedRequest => {
  const { at, by = old, body = "{}", method = "POST", serviceId = "job-collector" } = options
  const digest = Hex.encode(native.sha256(text(body)))
  const signature = by.sign(text(signingString(at, digest, serviceId)))
  return { method, authorization: authorizationHeader(at, signature), serviceId, body: text(body) }
}

const reasonOf = (request: SignedRequest) =>
  Effect.gen(function* () {
    const verifier = yield* RequestVerifier
    return yield* Effect.match(verifier.verify(request), {
      onFailure: (error) => error.reason as string,
      onSuccess: () => "taken"
    })
  })

const at = 1_766_400_000

describe.each([
  ["native", native],
  ["noble", noble]
] as const)("request verifier on %s", (_, ed25519) => {
  const provide = (options?: Partial<RequestVerifierOptions>) =>
    Effect.provide(layer({ services, ed25519, ...options }))

  it.effect.each(requestSignatures)("takes the vectors ($timestamp, $service_id)", (vector) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(vector.timestamp * 1000)
      const verifier = yield* RequestVerifier
      const request = {
        method: vector.body_utf8 === "" ? "GET" : "POST",
        authorization: vector.authorization,
        serviceId: vector.service_id,
        body: text(vector.body_utf8)
      }
      const verified = yield* verifier.verify(request)
      expect(verified).toEqual({
        serviceId: vector.service_id,
        timestamp: vector.timestamp,
        publicKey: bytes(vector.public_key_hex)
      })
      for (const body of [`${vector.body_utf8} `, "x"]) {
        expect(yield* reasonOf({ ...request, body: text(body) })).toBe("WrongSignature")
      }
    }).pipe(provide({ services: { [vector.service_id]: [vector.public_key_hex] } }))
  )

  it.effect("takes a drift below 5 minutes and refuses 5 minutes, both ways", () =>
    Effect.gen(function* () {
      const request = signed({ at })
      const outcomes: Array<string> = []
      for (const drift of [-300_000, -299_999, 0, 299_999, 300_000]) {
        yield* TestClock.setTime(at * 1000 + drift)
        outcomes.push(yield* reasonOf(request))
      }
      expect(outcomes).toEqual(["Drift", "taken", "taken", "taken", "Drift"])
      expect(yield* reasonOf(signed({ at: Number.MAX_SAFE_INTEGER }))).toBe("Drift")
    }).pipe(provide())
  )

  it.effect("names every reason", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(at * 1000)
      const good = signed({ at })
      const { authorization = "" } = good
      const other = signed({ at, serviceId: "other" })
      const cases: ReadonlyArray<[SignedRequest, string]> = [
        [good, "taken"],
        [signed({ at, by: fresh }), "taken"],
        [{ ...good, authorization: undefined }, "MissingHeader"],
        [{ ...good, serviceId: undefined }, "MissingHeader"],
        [{ ...good, authorization: "" }, "MalformedHeader"],
        [{ ...good, authorization: authorization.replace("Ed25519", "Bearer") }, "MalformedHeader"],
        [{ ...good, authorization: authorization.replace("==", "") }, "MalformedHeader"],
        [{ ...good, serviceId: "job collector" }, "MalformedHeader"],
        [{ ...good, serviceId: "" }, "MalformedHeader"],
        [{ ...good, serviceId: "__proto__" }, "UnknownService"],
        [{ ...good, serviceId: "constructor" }, "UnknownService"],
        [other, "UnknownService"],
        [{ ...other, serviceId: "job-collector" }, "WrongSignature"],
        [{ ...good, authorization: authorization.replace(`${at}`, `${at + 1}`) }, "WrongSignature"],
        [signed({ at, by: native.signer(new Uint8Array(32).fill(3)) }), "WrongSignature"]
      ]
      for (const [request, reason] of cases) expect(yield* reasonOf(request)).toBe(reason)
    }).pipe(provide())
  )

  it.effect("says which key signed, for the rotation", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(at * 1000)
      const verifier = yield* RequestVerifier
      expect((yield* verifier.verify(signed({ at }))).publicKey).toEqual(old.publicKey)
      expect((yield* verifier.verify(signed({ at, by: fresh }))).publicKey).toEqual(fresh.publicKey)
    }).pipe(provide())
  )

  it.effect("remembers a POST, not a GET, until its time has run out", () =>
    Effect.gen(function* () {
      const ahead = signed({ at: at + 299 })
      yield* TestClock.setTime(at * 1000)
      expect(yield* reasonOf(ahead)).toBe("taken")
      expect(yield* reasonOf(ahead)).toBe("Replay")
      expect(yield* reasonOf(signed({ at, body: "other" }))).toBe("taken")
      const get = signed({ at, method: "GET", body: "" })
      expect(yield* reasonOf(get)).toBe("taken")
      expect(yield* reasonOf(get)).toBe("taken")
      yield* TestClock.setTime((at + 299) * 1000 + 299_999)
      expect(yield* reasonOf(ahead)).toBe("Replay")
      yield* TestClock.setTime((at + 299) * 1000 + 300_000)
      expect(yield* reasonOf(ahead)).toBe("Drift")
    }).pipe(provide({ replayGuard: { capacity: 10 } }))
  )

  it.effect("does not remember a request whose signature is wrong", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(at * 1000)
      const good = signed({ at })
      expect(yield* reasonOf({ ...good, body: text("forged") })).toBe("WrongSignature")
      expect(yield* reasonOf(good)).toBe("taken")
    }).pipe(provide({ replayGuard: { capacity: 10 } }))
  )

  it.effect("remembers no more than it may, refuses what it cannot remember, and forgets in time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(at * 1000)
      const requests = [1, 2, 3].map((n) => signed({ at, body: `${n}` }))
      const outcomes: Array<string> = []
      for (const request of requests) outcomes.push(yield* reasonOf(request))
      expect(outcomes).toEqual(["taken", "taken", "ReplayGuardFull"])
      expect(yield* reasonOf(requests[0]!)).toBe("Replay")
      yield* TestClock.setTime((at + 300) * 1000)
      expect(yield* reasonOf(signed({ at: at + 300, body: "3" }))).toBe("taken")
    }).pipe(provide({ replayGuard: { capacity: 2 } }))
  )

  it.effect("refuses keys and options that cannot be trusted when it is built", () =>
    Effect.gen(function* () {
      const problemOf = (options: Partial<RequestVerifierOptions>) =>
        Effect.map(Effect.flip(Layer.build(layer({ services, ed25519, ...options }))), (error) => error.message)
      expect(yield* problemOf({ services: { a: [speccheck[0]!.pub_key] } })).toMatch(/key 1 .* a .*small order/)
      expect(yield* problemOf({ services: { a: [old.publicKey, bytes(speccheck[11]!.pub_key)] } })).toMatch(
        /key 2 .*not canonical/
      )
      expect(yield* problemOf({ services: { a: ["nonsense"] } })).toMatch(/must be an Ed25519 public key/)
      expect(yield* problemOf({ services: { a: [] } })).toMatch(/no public key/)
      expect(yield* problemOf({ services: { "a b": [old.publicKey] } })).toMatch(/service id/)
      expect(yield* problemOf({ replayGuard: { capacity: 0 } })).toMatch(/capacity/)
    }).pipe(Effect.scoped)
  )
})

describe("request verifier as a plain function", () => {
  it("answers with data and takes the time given or the system's", () => {
    const verify = makeRequestVerifier({ services, replayGuard: { capacity: 100 } })
    const request = signed({ at })
    expect(verify(request, at * 1000)).toEqual({
      ok: true,
      serviceId: "job-collector",
      timestamp: at,
      publicKey: old.publicKey
    })
    expect(verify(request, at * 1000)).toEqual({ ok: false, reason: "Replay", problem: expect.any(String) })
    expect(verify(signed({ at: Math.floor(Date.now() / 1000) })).ok).toBe(true)
    expect(verify(signed({ at: Math.floor(Date.now() / 1000) - 301 }))).toMatchObject({ ok: false, reason: "Drift" })
    expect(verify(signed({ at }), Number.NaN)).toMatchObject({ ok: false, reason: "Drift" })
  })

  it("throws while it is made, not while it runs", () => {
    expect(() => makeRequestVerifier({ services: { a: ["x"] } })).toThrow(/public key 1 of the service a/)
  })

  it("repeats no header", () => {
    const verify = makeRequestVerifier({ services })
    const request = signed({ at })
    const answers = [
      verify(request, 0),
      verify({ ...request, body: text("forged") }, at * 1000),
      verify({ ...request, authorization: `${request.authorization}!` }, at * 1000)
    ]
    const signature = request.authorization!.split(":")[1]!.slice(0, 12)
    for (const answer of answers) {
      expect(answer.ok).toBe(false)
      expect(JSON.stringify(answer)).not.toContain(signature)
    }
  })
})

describe("the replay guard", () => {
  const clients = { "job-collector": [old.publicKey], other: [fresh.publicKey] }
  const guarded = (capacity: number) => makeRequestVerifier({ services: clients, replayGuard: { capacity } })
  const ms = at * 1_000
  const reason = (verdict: ReturnType<ReturnType<typeof guarded>>) => (verdict.ok ? "taken" : verdict.reason)

  it("knows what it forgot under a clock that was ahead for a while", () => {
    const verify = guarded(100)
    const request = signed({ at })
    expect(reason(verify(request, ms))).toBe("taken")
    // Makes it forget all that is older than five minutes.
    expect(reason(verify(signed({ at: at + 3_600 }), ms + 3_600_000))).toBe("taken")
    expect(reason(verify(request, ms + 2_000))).toBe("Replay")
    expect(reason(verify(signed({ at: at + 3 }), ms + 3_000))).toBe("taken")
  })

  it("one service cannot fill it for another", () => {
    const verify = guarded(4)
    const verdicts = Array.from({ length: 4 }, (_, n) => reason(verify(signed({ at, body: `${n}` }), ms)))
    expect(verdicts).toEqual(["taken", "taken", "ReplayGuardFull", "ReplayGuardFull"])
    expect(reason(verify(signed({ at, by: fresh, serviceId: "other" }), ms))).toBe("taken")
  })

  it("guards a GET that has a body", () => {
    const verify = guarded(4)
    const request = signed({ at, method: "get", body: "{}" })
    expect([reason(verify(request, ms)), reason(verify(request, ms))]).toEqual(["taken", "Replay"])
    const plain = signed({ at, method: "get", body: "" })
    expect([reason(verify(plain, ms)), reason(verify(plain, ms))]).toEqual(["taken", "taken"])
  })

  it.each([
    { authorization: null },
    { authorization: ["a", "b"] },
    { authorization: 7 },
    { serviceId: null },
    { serviceId: ["job-collector"] },
    { serviceId: "__proto__" },
    { body: undefined },
    { body: "{}" },
    { body: { parsed: true } }
  ])("refuses what has another type than its own, and does not throw: %j", (odd) => {
    const request = { ...signed({ at }), ...odd } as unknown as SignedRequest
    expect(guarded(4)(request, ms).ok).toBe(false)
  })
})
