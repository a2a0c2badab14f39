import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"
import { expect, it } from "vitest"

it("the verifier, bundled and minified, is at most 5 kB gzipped, and names nothing that a runtime but Node lacks", async () => {
  const input = fileURLToPath(new URL("../../src/verifier/index.ts", import.meta.url))
  const bundle = await rolldown({ input })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  const [{ code, imports }] = output
  expect(imports).toEqual([])
  expect(code).not.toMatch(/\b(?:Buffer|process|require|node:)\b/)
  expect(gzipSync(code).length).toBeLessThanOrEqual(5_000)
})
