/** The published vectors, vectors/*.json: held to the script that makes them, and to each implementation of Ed25519 here. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { EdgeVM } from "@edge-runtime/vm"
import { describe, expect, it } from "vitest"
import { textOf, vectorFiles } from "../../scripts/vectors.ts"
import { native } from "../../src/layers/signing/native.ts"
import { noble } from "../../src/layers/signing/noble.ts"
import { type Primitives, REFUSALS, webCrypto } from "../../src/verifier/index.ts"
import { bundled, publishedVectors } from "./every-runtime.ts"
import { judgeAll } from "./every-vector.ts"

const read = (name: string) => readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8")
const published = publishedVectors()
const { vectors } = published.requests
const counts = `${vectors.length} requests, ${published.keys.taken.length + published.keys.refused.length} keys, ${published.ed25519.vectors.length} signatures`

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

describe("every vector gets its verdict", () => {
  it.each([
    ["WebCrypto", webCrypto],
    ["Node's OpenSSL", native],
    ["noble", noble]
  ])("on %s", async (_, primitives) => {
    expect(await judgeAll(published, primitives)).toBe(counts)
  })

  it("in Vercel's edge runtime, from one file", async () => {
    const edge = new EdgeVM()
    edge.evaluate(await bundled("everyVector"))
    expect(await edge.evaluate<Promise<string>>(`everyVector.judgeAll(${JSON.stringify(published)})`)).toBe(counts)
  })

  it("by the program for a runtime that is to be tried, with nothing beside it", () => {
    const program = execFileSync(process.execPath, ["test/verifier/every-runtime.ts"], { encoding: "utf8" })
    const file = join(mkdtempSync(join(tmpdir(), "job-collector-vectors-")), "vectors.mjs")
    try {
      writeFileSync(file, program)
      expect(execFileSync(process.execPath, [file], { encoding: "utf8" }).trim()).toBe(counts)
    } finally {
      rmSync(dirname(file), { recursive: true })
    }
  })

  it("or is named where it does not", async () => {
    const credulous: Primitives = { ...native, verifier: () => () => true }
    await expect(judgeAll(published, credulous)).rejects.toThrow(/: ok, and not WrongSignature$/)
  })
})
