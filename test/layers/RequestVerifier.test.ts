import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { Hex } from "effect/encoding"
import { TestClock } from "effect/testing"
import { authorizationHeader, signingString } from "../../src/domain/signing/signature.ts"
import { native } from "../../src/layers/signing/native.ts"
import { noble } from "../../src/layers/signing/noble.ts"
import { layer, type RequestVerifierOptions } from "../../src/layers/signing/RequestVerifier.ts"
import { RequestVerifier } from "../../src/services/RequestVerifier.ts"
import type { Verdict } from "../../src/verifier/verdict.ts"
import { makeVerifier, type SignedRequest } from "../../src/verifier/verifier.ts"
import { requestSignatures, speccheck } from "../support/vectors.ts"

const text = (string: string) => new TextEncoder().encode(string)
const bytes = (hex: string) => Result.getOrThrow(Hex.decode(hex))
const old = native.signer(new Uint8Array(32).fill(1))
const fresh = native.signer(new Uint8Array(32).fill(2))
const services = { "job-collector": [old.publicKey, Hex.encode(fresh.publicKey)] }

/** A request by the parts that matter. */
interface Parts {
  readonly method: string
  readonly authorization: string | undefined
  readonly serviceId: string | undefined
  readonly body: Uint8Array
}

const requestOf = ({ authorization, body, method, serviceId }: Parts): SignedRequest => ({
  method,
  headers: { authorization, "x-service-id": serviceId },
  body
})

const signed = (options: {
  readonly at: number
  readonly by?: typeof old
  readonly body?: string
  readonly method?: string
  readonly serviceId?: string
}): Parts => {
  const { at, by = old, body = "{}", method = "POST", serviceId = "job-collector" } = options
  const digest = Hex.encode(native.sha256(text(body)))
  const signature = by.sign(text(signingString(at, digest, serviceId)))
  return { method, authorization: authorizationHeader(at, signature), serviceId, body: text(body) }
}

const reasonOf = (request: Parts) =>
  Effect.gen(function* () {
    const verifier = yield* RequestVerifier
    return yield* Effect.match(verifier.verify(requestOf(request)), {
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
      const verified = yield* verifier.verify(requestOf(request))
      expect(verified).toEqual({
        serviceId: vector.service_id,
        timestamp: vector.timestamp,
        keyId: Hex.encode(native.sha256(bytes(vector.public_key_hex)).subarray(0, 8)),
        publicKey: bytes(vector.public_key_hex),
        body: request.body
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
      const cases: ReadonlyArray<[Parts, string]> = [
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
      expect((yield* verifier.verify(requestOf(signed({ at })))).publicKey).toEqual(old.publicKey)
      expect((yield* verifier.verify(requestOf(signed({ at, by: fresh })))).publicKey).toEqual(fresh.publicKey)
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

describe("the verifier as a plain function", () => {
  const make = (options: Parameters<typeof makeVerifier>[0]) => {
    const verify = makeVerifier(options)
    return (parts: Parts, nowMs?: number) => verify(requestOf(parts), nowMs)
  }

  it("answers with data and takes the time given or the system's", async () => {
    const verify = make({ services, replayGuard: { capacity: 100 } })
    const request = signed({ at })
    expect(await verify(request, at * 1000)).toEqual({
      ok: true,
      serviceId: "job-collector",
      timestamp: at,
      keyId: Hex.encode(native.sha256(old.publicKey).subarray(0, 8)),
      publicKey: old.publicKey,
      body: request.body
    })
    expect(await verify(request, at * 1000)).toEqual({ ok: false, reason: "Replay", problem: expect.any(String) })
    const now = Math.floor(Date.now() / 1000)
    expect((await verify(signed({ at: now }))).ok).toBe(true)
    expect(await verify(signed({ at: now - 301 }))).toMatchObject({ ok: false, reason: "Drift" })
    expect(await verify(signed({ at }), Number.NaN)).toMatchObject({ ok: false, reason: "Drift" })
  })

  it("throws while it is made, not while it runs", () => {
    expect(() => make({ services: { a: ["x"] } })).toThrow(/public key 1 of the service a/)
  })

  it("repeats no header", async () => {
    const verify = make({ services })
    const request = signed({ at })
    const answers = [
      await verify(request, 0),
      await verify({ ...request, body: text("forged") }, at * 1000),
      await verify({ ...request, authorization: `${request.authorization}!` }, at * 1000)
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
  const guarded = (capacity: number) => {
    const verify = makeVerifier({ services: clients, replayGuard: { capacity } })
    return async (parts: Parts, nowMs: number) => reason(await verify(requestOf(parts), nowMs))
  }
  const ms = at * 1_000
  const reason = (verdict: Verdict) => (verdict.ok ? "taken" : verdict.reason)

  it("knows what it forgot under a clock that was ahead for a while", async () => {
    const verify = guarded(100)
    const request = signed({ at })
    expect(await verify(request, ms)).toBe("taken")
    // Makes it forget all that is older than five minutes.
    expect(await verify(signed({ at: at + 3_600 }), ms + 3_600_000)).toBe("taken")
    expect(await verify(request, ms + 2_000)).toBe("Replay")
    expect(await verify(signed({ at: at + 3 }), ms + 3_000)).toBe("taken")
  })

  it("one service cannot fill it for another", async () => {
    const verify = guarded(4)
    const verdicts: Array<string> = []
    for (const n of [1, 2, 3, 4]) verdicts.push(await verify(signed({ at, body: `${n}` }), ms))
    expect(verdicts).toEqual(["taken", "taken", "ReplayGuardFull", "ReplayGuardFull"])
    expect(await verify(signed({ at, by: fresh, serviceId: "other" }), ms)).toBe("taken")
  })

  it("guards a GET that has a body", async () => {
    const verify = guarded(4)
    const request = signed({ at, method: "get", body: "{}" })
    expect([await verify(request, ms), await verify(request, ms)]).toEqual(["taken", "Replay"])
    const plain = signed({ at, method: "get", body: "" })
    expect([await verify(plain, ms), await verify(plain, ms)]).toEqual(["taken", "taken"])
  })

  it("takes one of two that come at once", async () => {
    const verify = guarded(4)
    const request = signed({ at })
    expect((await Promise.all([verify(request, ms), verify(request, ms)])).sort()).toEqual(["Replay", "taken"])
  })

  it.each([
    { authorization: null },
    { authorization: ["a", "b"] },
    { authorization: 7 },
    { serviceId: null },
    { serviceId: ["job-collector"] },
    { serviceId: "__proto__" },
    { body: undefined },
    { body: null },
    { body: "{}" },
    { body: { parsed: true } }
  ])("refuses what has another type than its own, and does not throw: %j", async (odd) => {
    const request = { ...signed({ at }), ...odd } as unknown as Parts
    expect(await guarded(4)(request, ms)).not.toBe("taken")
  })
})
