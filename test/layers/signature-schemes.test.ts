/** What `SIGNATURE_SCHEMES` adds, verified by an implementation that is not ours, and by ours. */
import { createPublicKey, verify } from "node:crypto"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createVerifier, httpbis } from "http-message-signatures"
import type { SignatureScheme } from "../../src/domain/signing/signatureSchemes.ts"
import { layer as jobsApiLayer } from "../../src/layers/jobsApi/JobsApi.ts"
import { layer as nativeSigner } from "../../src/layers/signing/NativeSigner.ts"
import { native } from "../../src/layers/signing/native.ts"
import { JobsApi } from "../../src/services/JobsApi.ts"
import { makeVerifier, type SignedRequest } from "../../src/verifier/index.ts"

const seed = new Uint8Array(32).fill(1)
const { publicKey } = native.signer(seed)
const keyId = Buffer.from(native.sha256(publicKey)).toString("hex").slice(0, 16)
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey])
const key = createPublicKey({ key: spki, format: "der", type: "spki" })
const at = 1_766_400_000
const body = new TextEncoder().encode('{"event_id":"evt.1","text":"żółć"}')

interface Sent extends SignedRequest {
  readonly url: string
  readonly headers: Record<string, string>
}

/** The requests of one delivery and one fetch of the configurations, as they leave. */
const requestsOf = (signatureSchemes?: ReadonlyArray<SignatureScheme>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(at * 1000)
    const sent: Array<Sent> = []
    const client = HttpClient.make((request, url) => {
      const bytes = request.body._tag === "Uint8Array" ? request.body.body : new Uint8Array()
      sent.push({ method: request.method, url: url.href, headers: { ...request.headers }, body: bytes })
      return Effect.succeed(HttpClientResponse.fromWeb(request, new Response("{}", { status: 200 })))
    })
    const api = jobsApiLayer({
      baseUrl: "https://API.example/base",
      serviceId: "job-collector",
      timeout: "10 seconds",
      signatureSchemes
    }).pipe(
      Layer.provide([
        Layer.succeed(HttpClient.HttpClient, client),
        nativeSigner(Redacted.make(Buffer.from(seed).toString("hex")))
      ])
    )
    yield* Effect.gen(function* () {
      const { configurations, deliver } = yield* JobsApi
      yield* deliver({ path: "/api/jobs/add", body, idempotencyKey: "evt.1", attempt: 1, traceparent: undefined })
      yield* configurations(undefined)
    }).pipe(Effect.provide(api))
    const [post, get] = sent
    if (post === undefined || get === undefined) return yield* Effect.die("two requests are sent")
    return { get, post }
  })

const ours = (scheme: SignatureScheme) =>
  makeVerifier({ services: { "job-collector": [publicKey] }, scheme, replayGuard: { capacity: 10 } })

const reason = async (scheme: SignatureScheme, request: SignedRequest) => {
  const verdict = await ours(scheme)(request, at * 1000)
  return verdict.ok ? "ok" : verdict.reason
}

/** `http-message-signatures` of npm. */
const theirs = ({ headers, method, url }: Sent) =>
  httpbis.verifyMessage(
    {
      keyLookup: async (parameters) =>
        parameters.keyid === keyId ? { id: keyId, algs: ["ed25519"], verify: createVerifier(key, "ed25519") } : null
    },
    { headers, method, url }
  )

it.effect("v1 alone adds no header", () =>
  Effect.gen(function* () {
    const { get, post } = yield* requestsOf()
    for (const { headers } of [get, post]) {
      const added = Object.keys(headers).filter((name) => /signature|digest|webhook/.test(name))
      expect(added).toEqual([])
    }
  })
)

it.effect("rfc9421 signs both requests, by http-message-signatures and by ours", () =>
  Effect.gen(function* () {
    const { get, post } = yield* requestsOf(["v1", "rfc9421"])
    for (const request of [post, get]) {
      expect(yield* Effect.promise(() => theirs(request))).toBe(true)
      expect(yield* Effect.promise(() => reason("rfc9421", request))).toBe("ok")
      expect(yield* Effect.promise(() => reason("v1", request))).toBe("ok")
    }
    expect(post.headers["signature-input"]).toBe(
      `sig1=("@method" "@target-uri" "content-digest" "idempotency-key" "x-service-id");created=${at};keyid="${keyId}";alg="ed25519"`
    )
    const changes: ReadonlyArray<[Partial<Sent>, string]> = [
      [{ method: "PUT" }, "WrongSignature"],
      [{ url: `${post.url}?x` }, "WrongSignature"],
      [{ body: new Uint8Array() }, "WrongSignature"],
      [{ headers: { ...post.headers, "idempotency-key": "evt.2" } }, "WrongSignature"],
      [{ headers: { ...post.headers, signature: "sig1=:AAAA:" } }, "MalformedHeader"],
      [
        { headers: { ...post.headers, "signature-input": `${post.headers["signature-input"]};tag="x"` } },
        "MalformedHeader"
      ],
      [{ headers: get.headers }, "WrongSignature"]
    ]
    for (const [change, expected] of changes) {
      expect(yield* Effect.promise(() => reason("rfc9421", { ...post, ...change }))).toBe(expected)
    }
  })
)

it.effect("standard-webhooks signs the delivery, by its specification on node:crypto and by ours", () =>
  Effect.gen(function* () {
    const { get, post } = yield* requestsOf(["v1", "standard-webhooks"])
    const { "webhook-id": id, "webhook-signature": value = "", "webhook-timestamp": time } = post.headers
    const signed = Buffer.concat([Buffer.from(`${id}.${time}.`), body])
    expect([id, time, value.slice(0, 4)]).toEqual(["evt.1", `${at}`, "v1a,"])
    expect(verify(null, signed, key, Buffer.from(value.slice(4), "base64"))).toBe(true)
    expect(yield* Effect.promise(() => reason("standard-webhooks", post))).toBe("ok")
    const more = { ...post, headers: { ...post.headers, "webhook-signature": `v1,${"A".repeat(43)}= ${value}` } }
    expect(yield* Effect.promise(() => reason("standard-webhooks", more))).toBe("ok")
    expect(yield* Effect.promise(() => reason("standard-webhooks", { ...post, body: new Uint8Array() }))).toBe(
      "WrongSignature"
    )
    const old = { ...post, headers: { ...post.headers, "webhook-timestamp": `${at - 300}` } }
    expect(yield* Effect.promise(() => reason("standard-webhooks", old))).toBe("Drift")
    const none = { ...post, headers: { ...post.headers, "webhook-signature": `v1,${"A".repeat(43)}=` } }
    expect(yield* Effect.promise(() => reason("standard-webhooks", none))).toBe("MalformedHeader")
    expect(yield* Effect.promise(() => reason("standard-webhooks", get))).toBe("MissingHeader")
  })
)
