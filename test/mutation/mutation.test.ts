/** That the list of mutants names what is there, and that `npm run mutate` finds which test notices one. */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { mutated } from "./mutant.ts"
import { mutants } from "./mutants.ts"

const here = (path: string): URL => new URL(path, import.meta.url)
const sourceOf = (file: string): string => readFileSync(here(`../../src/${file}`), "utf8")

describe("mutants", () => {
  it("each changes a piece of source that stands in its file once", () => {
    for (const mutant of mutants) assert.notStrictEqual(mutated(sourceOf(mutant.file), mutant), sourceOf(mutant.file))
  })

  it("each is for a test to notice, or says why none can", () => {
    for (const { equivalent, tests, was } of mutants) {
      assert.strictEqual(tests.length === 0, equivalent !== undefined, was)
    }
  })

  it("npm run mutate says which test notices each", async () => {
    const script = fileURLToPath(here("./run.ts"))
    const { stdout } = await promisify(execFile)(process.execPath, [script, "--file", "domain/delivery/decide"])
    assert.include(stdout, "test/domain/decide.test.ts › Retry-After lengthens a delay and never shortens it")
    assert.include(stdout, "0 not noticed")
  })
})
