import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Screen } from "../../sandbox/demo/screen.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const scripts = [
  "sandbox/demo.ts",
  "test/simulation/run.ts",
  "test/fuzz/run.ts",
  "test/process/faults.ts",
  "bench/main.ts"
]

const run = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", timeout: 60_000 })

describe("the scripts of package.json", () => {
  it.each(scripts)("%s prints its help, and names a flag that it does not know in one line", (script) => {
    const helped = run(script, "--help")
    assert.deepStrictEqual([helped.status, helped.stderr], [0, ""])
    assert.match(helped.stdout, /^npm run \w+.*\n\n {2}--/)
    const wrong = run(script, "--nonsense")
    assert.deepStrictEqual([wrong.status, wrong.stdout], [2, ""])
    assert.match(wrong.stderr, /^Unknown option '--nonsense' \(--help shows the flags\)\n$/)
  })

  it("the demo's help comes before anything is built", () => {
    const helped = spawnSync("npm", ["run", "--silent", "demo", "--", "--help"], { cwd: root, encoding: "utf8" })
    assert.strictEqual(helped.status, 0, helped.stderr)
    assert.match(helped.stdout, /^npm run demo: .*\n\n {2}--/)
  })

  it("say what is wrong with a value without a stack", () => {
    const wrong = run("test/simulation/run.ts", "--time", "soon")
    assert.deepStrictEqual([wrong.status, wrong.stderr.split("\n").length], [2, 2])
    assert.match(wrong.stderr, /^--time must be a number and ms, s, m, h or d: soon/)
  })
})

describe("the demo's screen", () => {
  it("breaks lines between words, at the width of the terminal", () => {
    const written: Array<string> = []
    const out = Object.assign(Object.create(process.stdout), {
      isTTY: false,
      columns: 40,
      write: (text: string) => written.push(text) > 0
    })
    new Screen(out).announce("Starting Redis, the database, the jobs API, the gateway and the collector …")
    const lines = written.join("").trimEnd().split("\n")
    assert.isAbove(lines.length, 2)
    for (const line of lines) assert.isAtMost(line.length, 40)
    assert.strictEqual(
      lines.map((line) => line.slice(8)).join(" "),
      "Starting Redis, the database, the jobs API, the gateway and the collector …"
    )
  })
})
