/** The published vectors, vectors/*.json: held to the script that makes them, and to each implementation of Ed25519 here. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { textOf, vectorFiles } from "../../scripts/vectors.ts"
import { native } from "../../src/layers/signing/native.ts"
import { noble } from "../../src/layers/signing/noble.ts"
import { isStrictSignature, publicKeyProblem } from "../../src/verifier/ed25519.ts"
import { makeVerifier, REFUSALS, webCrypto } from "../../src/verifier/index.ts"

const read = (name: string) => readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8")
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"))

interface Requests {
  readonly services: Readonly<Record<string, ReadonlyArray<string>>>
  readonly vectors: ReadonlyArray<{
    readonly id: string
    readonly replay_guard?: number
    readonly steps: ReadonlyArray<{
      readonly now_ms: number
      readonly method: string
      readonly headers: Readonly<Record<string, string>>
      readonly body_base64: string
      readonly expected: string
    }>
  }>
}

const { services, vectors }: Requests = JSON.parse(read("requests.json"))

describe("the published vectors", () => {
  it.each(Object.entries(vectorFiles()))("%s is what the script writes", (name, content) => {
    expect(read(name) === textOf(content), `run: npm run vectors`).toBe(true)
  })

  it("name each once, and every reason that headers and bytes can give", () => {
    expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length)
    expect(vectors.length).toBeGreaterThanOrEqual(60)
    const expected = new Set(vectors.flatMap(({ steps }) => steps.map((step) => step.expected)))
    expect([...expected].sort()).toEqual(["ok", ...REFUSALS.filter((reason) => reason !== "UnreadableBody")].sort())
  })
})

describe.each([
  ["WebCrypto", webCrypto],
  ["Node's OpenSSL", native],
  ["noble", noble]
])("on %s", (_, primitives) => {
  it("each request gets its verdict", async () => {
    for (const { id, replay_guard, steps } of vectors) {
      const replayGuard = replay_guard === undefined ? undefined : { capacity: replay_guard }
      const verify = makeVerifier({ services, replayGuard, primitives })
      for (const { body_base64, expected, headers, method, now_ms } of steps) {
        const request = { method, headers, body: new Uint8Array(Buffer.from(body_base64, "base64")) }
        const verdict = await verify(request, now_ms)
        expect(verdict.ok ? "ok" : verdict.reason, id).toBe(expected)
      }
    }
  })

  it("each key is taken or refused, and each signature judged", async () => {
    const keys = JSON.parse(read("keys.json"))
    for (const { key } of keys.taken) expect(() => makeVerifier({ services: { a: [key] }, primitives })).not.toThrow()
    for (const { key, why } of keys.refused) {
      expect(() => makeVerifier({ services: { a: [bytes(key)] }, primitives }), why).toThrow(/must be an Ed25519/)
    }
    for (const { id, key, message, ok, signature } of JSON.parse(read("ed25519.json")).vectors) {
      const verdict =
        publicKeyProblem(bytes(key)) === undefined &&
        isStrictSignature(bytes(signature)) &&
        (await primitives.verifier(bytes(key))(bytes(message), bytes(signature)))
      expect(verdict, id).toBe(ok)
    }
  })
})
