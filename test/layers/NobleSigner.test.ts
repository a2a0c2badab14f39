import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import * as NobleSigner from "../../src/layers/signing/NobleSigner.ts"
import { noble } from "../../src/layers/signing/noble.ts"
import { signerContract } from "../contracts/signer-contract.ts"

signerContract("noble", noble, NobleSigner.layer)

it("reaches nothing of Node's", () => {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const walk = (file: URL) => {
    if (seen.has(file.href)) return
    seen.add(file.href)
    for (const [, from = ""] of readFileSync(file, "utf8").matchAll(/^(?:import|export)\b[^;'"]*\bfrom "([^"]+)"/gm)) {
      if (from.startsWith(".")) walk(new URL(from, file))
      else packages.add(from)
    }
  }
  walk(new URL("../../src/layers/signing/NobleSigner.ts", import.meta.url))
  expect(seen.size).toBeGreaterThan(5)
  expect([...packages].sort()).toEqual([
    "@noble/ed25519",
    "@noble/hashes/sha2.js",
    "effect",
    "effect/encoding/Base64",
    "effect/encoding/Hex"
  ])
})
