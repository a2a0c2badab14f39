/** The guide's code is the code that the tests run. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

it("every example of the guide is part of a test", () => {
  const examples = read("./guide/refunds.test.ts")
  const blocks = [...read("../../docs/time-travel-testing.md").matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code = ""]) => code
  )
  assert.isAtLeast(blocks.length, 5)
  for (const block of blocks) assert.include(examples, block.trim())
})
