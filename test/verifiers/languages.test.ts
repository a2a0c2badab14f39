/** The verifiers in other languages, each with the published vectors. */
import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { ensureProgram } from "../support/debian-program.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const count = (name: string, ...lists: ReadonlyArray<string>) => {
  const content = JSON.parse(readFileSync(`${root}/vectors/${name}`, "utf8"))
  return lists.reduce((sum, list) => sum + content[list].length, 0)
}
const all = `${count("requests.json", "vectors")} requests, ${count("keys.json", "taken", "refused")} keys, ${count("ed25519.json", "vectors")} signatures`

const hasCryptography = (python: string) =>
  spawnSync(python, ["-c", "import cryptography.hazmat.primitives.asymmetric.ed25519"]).status === 0

const run = (folder: string, program: string, ...args: ReadonlyArray<string>) =>
  execFileSync(program, args, { cwd: `${root}/verifiers/${folder}`, encoding: "utf8" })

describe("the verifier gives every published verdict", () => {
  it("in Python", () => {
    const python = ensureProgram(["python3", "/usr/bin/python3"], "python3-cryptography", hasCryptography)
    expect(run("python", python, "-B", "vectors.py", "../../vectors").trim()).toBe(all)
  })

  it("in Go", () => {
    const go = ensureProgram(["go"], "golang-go")
    expect(run("go", go, "test", "-count=1", "-v", "./...")).toContain(all)
  })

  it("in PHP", () => {
    const php = ensureProgram(["php"], "php-cli")
    expect(run("php", php, "vectors.php", "../../vectors").trim()).toBe(all)
  })
})
