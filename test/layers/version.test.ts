import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { version } from "../../src/layers/node/Host.ts"

it("the version in the code is the package's: npm run build writes it", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  assert.strictEqual(version, manifest.version)
})
