/** What was found once holds now, and some thousand mutants of each target's inputs hold too. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { kept } from "./corpus.ts"
import { fuzz, tryInput } from "./fuzzer.ts"
import { Broken, type Target } from "./target.ts"
import { closeTargets, targets } from "./targets.ts"

afterAll(closeTargets)

describe("what was found once", () => {
  it.each(kept())("$file: $problem", async ({ input, target: name }) => {
    const target = targets.find((candidate) => candidate.name === name)
    if (target === undefined) throw new Error(`there is no target ${name}`)
    assert.isUndefined((await tryInput(target, input)).problem)
  })
})

describe("a short fuzz", () => {
  it.each(targets)("$name", async (target) => {
    const { finds } = await fuzz(target, "test", { executions: target.brief ? 500 : 3_000, ms: 60_000 })
    assert.deepStrictEqual(finds, [])
  })
})

describe("the fuzzer", () => {
  const planted = (name: string, seed: string, attempt: Target["attempt"]): Target => ({
    name,
    seeds: [[seed]],
    words: [],
    attempt
  })
  const limit = { executions: 20_000, ms: 30_000 }

  it("finds a planted fault and makes it small, the same one for the same seed", async () => {
    const target = planted("planted", '{"attempt":1,"wait":5}', ([text = ""]) => {
      if (text.includes("1e400")) throw new Broken("a number beyond a double")
      return "fine"
    })
    const { finds } = await fuzz(target, "1", limit)
    assert.deepStrictEqual(finds, [{ target: "planted", problem: "Error: a number beyond a double", input: ["1e400"] }])
  })

  it("finds what takes a time that grows with the square of the length", async () => {
    const target = planted("slow", "x".repeat(500_001), ([text = ""]) => {
      const before = process.cpuUsage()
      while (text.length > 500_000 && process.cpuUsage(before).user < 150_000);
      return "fine"
    })
    const { finds } = await fuzz(target, "1", { executions: 1, ms: 30_000 })
    assert.deepStrictEqual(
      finds.map(({ problem }) => problem),
      ["takes longer than 100 ms"]
    )
  })
})
