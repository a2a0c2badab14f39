import { createHash, createPublicKey } from "node:crypto"
import { describe, expect, it } from "vitest"
import { authorizationHeader, signingString } from "../../src/domain/signing/signature.ts"
import { native } from "../../src/layers/signing/native.ts"
import { isStrictSignature, publicKeyProblem } from "../../src/verifier/ed25519.ts"
import { makeVerifier, type SignedRequest, type Verdict, webCrypto } from "../../src/verifier/index.ts"
import { rfc8032, wycheproof } from "../support/vectors.ts"

const at = 1_766_400_000
const ms = at * 1000
const text = (string: string) => new TextEncoder().encode(string)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const idOf = (publicKey: Uint8Array) => createHash("sha256").update(publicKey).digest("hex").slice(0, 16)

const old = native.signer(new Uint8Array(32).fill(1))
const fresh = native.signer(new Uint8Array(32).fill(2))
const services = { "job-collector": [old.publicKey, fresh.publicKey] }

const headersOf = (body: string, by = old, serviceId = "job-collector") => {
  const digest = hex(native.sha256(text(body)))
  const authorization = authorizationHeader(at, by.sign(text(signingString(at, digest, serviceId))))
  return { authorization, "x-service-id": serviceId, "x-key-id": idOf(by.publicKey) }
}

const post = (body: string, headers: SignedRequest["headers"] = headersOf(body)): SignedRequest => ({
  method: "POST",
  headers,
  body: text(body)
})

const reason = (verdict: Verdict) => (verdict.ok ? "taken" : verdict.reason)

it("says from JavaScript that it was given no services", () => {
  for (const options of [{}, { services: null }])
    expect(() => Reflect.apply(makeVerifier, undefined, [options])).toThrow(/^services must name the service ids/)
})

describe("a trusted key", () => {
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), old.publicKey])
  const pem = createPublicKey({ key: der, format: "der", type: "spki" })
    .export({ format: "pem", type: "spki" })
    .toString()
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(old.publicKey).toString("base64url") }

  it.each([
    ["bytes", old.publicKey],
    ["hex", hex(old.publicKey)],
    ["upper-case hex", hex(old.publicKey).toUpperCase()],
    ["base64", Buffer.from(old.publicKey).toString("base64")],
    ["base64url", jwk.x],
    ["PEM", pem],
    ["PEM in one line", pem.trim().replaceAll("\n", "\\n")],
    ["JWK", jwk]
  ])("may be given as %s", async (_, key) => {
    const verify = makeVerifier({ services: { "job-collector": [key] } })
    expect(reason(await verify(post("{}"), ms))).toBe("taken")
  })

  it.each([
    ["nothing", ""],
    ["null", null],
    ["31 bytes", new Uint8Array(31)],
    ["33 bytes of base64", Buffer.alloc(33, 7).toString("base64")],
    ["base64 with stray bits", `${jwk.x.slice(0, -1)}${String.fromCharCode(jwk.x.charCodeAt(42) + 1)}`],
    ["a private key's PEM", pem.replaceAll("PUBLIC", "PRIVATE")],
    ["another curve's JWK", { ...jwk, crv: "X25519" }],
    ["DER without PEM", der.toString("base64")]
  ])("is refused as %s, by service and place", (_, key) => {
    const make = () => makeVerifier({ services: { "job-collector": [fresh.publicKey, key as string] } })
    expect(make).toThrow(/^public key 2 of the service job-collector must be an Ed25519 public key/)
  })

  it("is found by its id where the request names one, and by trying where it does not", async () => {
    const verify = makeVerifier({ services })
    for (const by of [old, fresh]) {
      const { "x-key-id": keyId, ...unnamed } = headersOf("{}", by)
      for (const headers of [{ ...unnamed, "x-key-id": keyId }, unnamed]) {
        expect(await verify(post("{}", headers), ms)).toMatchObject({ ok: true, keyId, publicKey: by.publicKey })
      }
    }
    const other = { ...headersOf("{}"), "x-key-id": idOf(fresh.publicKey) }
    expect(reason(await verify(post("{}", other), ms))).toBe("WrongSignature")
    const unknown = { ...headersOf("{}"), "x-key-id": "0123456789abcdef" }
    expect(reason(await verify(post("{}", unknown), ms))).toBe("UnknownKey")
    for (const odd of ["", "0123456789ABCDEF", `${idOf(old.publicKey)} `, [idOf(old.publicKey)], 7]) {
      const headers = { ...headersOf("{}"), "x-key-id": odd }
      expect(reason(await verify(post("{}", headers), ms))).toBe("MalformedHeader")
    }
  })

  it("of one service is none of another's", async () => {
    const verify = makeVerifier({ services: { "job-collector": [old.publicKey], other: [fresh.publicKey] } })
    const { "x-key-id": _, ...headers } = headersOf("{}", fresh)
    expect(reason(await verify(post("{}", headers), ms))).toBe("WrongSignature")
  })
})

describe("a Request", () => {
  const verify = makeVerifier({ services, maxBodyBytes: 10 })
  const request = (init: RequestInit) => new Request("https://api.example/api/jobs/add", { method: "POST", ...init })

  it("is verified as it is, and its body given back", async () => {
    const verdict = await verify(request({ headers: headersOf("{}"), body: "{}" }), ms)
    expect(verdict.ok && Buffer.from(verdict.body).toString()).toBe("{}")
  })

  it("may have no body, or one in pieces", async () => {
    const get = new Request("https://api.example/", { headers: headersOf("") })
    expect(reason(await verify(get, ms))).toBe("taken")
    const body = new ReadableStream({
      start: (controller) => {
        for (const piece of ["{", '"a"', ":1}"]) controller.enqueue(text(piece))
        controller.close()
      }
    })
    const init = { headers: headersOf('{"a":1}'), body, duplex: "half" as const }
    expect(reason(await verify(request(init), ms))).toBe("taken")
  })

  it("is not read further than the limit, nor where its headers are no good", async () => {
    let pulled = 0
    const endless = () =>
      new ReadableStream({
        pull: (controller) => {
          pulled++
          controller.enqueue(new Uint8Array(4))
        }
      })
    const headers = headersOf("{}")
    const flood = request({ headers, body: endless(), duplex: "half" } as RequestInit)
    expect(reason(await verify(flood, ms))).toBe("UnreadableBody")
    expect(pulled).toBeLessThan(6)
    const unsigned = request({ headers: {}, body: endless(), duplex: "half" } as RequestInit)
    expect(reason(await verify(unsigned, ms))).toBe("MissingHeader")
    expect(unsigned.bodyUsed).toBe(false)
  })

  it("whose body was read, or breaks off, is refused", async () => {
    const used = request({ headers: headersOf("{}"), body: "{}" })
    await used.text()
    expect(reason(await verify(used, ms))).toBe("UnreadableBody")
    const broken = new ReadableStream({ start: (controller) => controller.error(new Error("reset")) })
    const init = { headers: headersOf("{}"), body: broken, duplex: "half" } as RequestInit
    expect(reason(await verify(request(init), ms))).toBe("UnreadableBody")
  })
})

describe("odd values in a request", () => {
  const verify = makeVerifier({ services, replayGuard: { capacity: 10 } })
  it.each([
    [undefined],
    [null],
    [7],
    [{}],
    [Object.create(null)],
    [{ get: () => undefined }],
    [{ authorization: Symbol("odd"), "x-service-id": {} }],
    [{ ...headersOf("{}"), authorization: "\u0000".repeat(10_000) }],
    [{ ...headersOf("{}"), authorization: `Ed25519 ${at}:${"=".repeat(88)}` }],
    [{ ...headersOf("{}"), authorization: `Ed25519 ${at}:${"é".repeat(88)}` }],
    [{ ...headersOf("{}"), "x-service-id": "toString" }]
  ])("throw nothing: %o", async (headers) => {
    const request = { method: "POST", headers: headers as SignedRequest["headers"], body: text("{}") }
    expect((await verify(request, ms)).ok).toBe(false)
  })

  it("a method that is none is guarded as a POST is", async () => {
    const request = { ...post("", headersOf("")), method: undefined as unknown as string }
    expect(reason(await verify(request, ms))).toBe("taken")
    expect(reason(await verify(request, ms))).toBe("Replay")
  })

  it("options that cannot be met throw at once", () => {
    expect(() => makeVerifier({ services, scheme: "v2" as "v1" })).toThrow(/scheme must be one of v1/)
    expect(() => makeVerifier({ services, replayGuard: { capacity: 1.5 } })).toThrow(/capacity/)
  })
})

describe("WebCrypto under the policy", () => {
  const verifies = async (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
    publicKeyProblem(publicKey) === undefined &&
    isStrictSignature(signature) &&
    (await webCrypto.verifier(publicKey)(message, signature))
  const bytes = (digits: string) => new Uint8Array(Buffer.from(digits, "hex"))

  it("agrees with all cases of RFC 8032 and of Wycheproof", async () => {
    for (const { message, publicKey, signature } of rfc8032) {
      expect(await verifies(bytes(publicKey), bytes(message), bytes(signature))).toBe(true)
    }
    const cases = wycheproof.flatMap(({ publicKey, tests }) => tests.map((test) => ({ ...test, key: publicKey.pk })))
    expect(cases).toHaveLength(151)
    for (const { key, msg, result, sig, tcId } of cases) {
      expect(await verifies(bytes(key), bytes(msg), bytes(sig)), `tcId ${tcId}`).toBe(result === "valid")
    }
  })
})
