/** `npm run release`: the next version by what waits in `.changeset/`, and its section of the changelog. */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { readChange, released } from "./changelog.ts"

const root = join(import.meta.dirname, "../..")
const changelog = join(root, "CHANGELOG.md")
const waiting = join(root, ".changeset")
const run = (program: string, ...args: ReadonlyArray<string>) =>
  execFileSync(program, args, { cwd: root, stdio: "inherit" })

const changes = readdirSync(waiting)
  .filter((name) => name.endsWith(".md") && name !== "README.md")
  .map((name) => readChange(readFileSync(join(waiting, name), "utf8")))
if (changes.length === 0) throw new Error("Nothing waits in .changeset")

run("changeset", "version")
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const today = new Date().toISOString().slice(0, 10)
writeFileSync(changelog, released(readFileSync(changelog, "utf8"), version, today, changes))
// The lock file and the constant in the code have the version too.
run("npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund")
run("npm", "run", "build")
