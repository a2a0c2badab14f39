/**
 * Prints the software bill of materials of what is installed with the package, as CycloneDX. `npm sbom --omit dev` would
 * leave out what is a development or peer dependency of another package as well: effect, ioredis and all below them.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const read = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"))

// npm describes a project without development dependencies; its component's name is that of the folder.
const folder = mkdtempSync(join(tmpdir(), "sbom-"))
try {
  const { devDependencies: _, ...project } = read("package.json")
  const lock = read("package-lock.json")
  delete lock.packages[""].devDependencies
  writeFileSync(join(folder, "package.json"), JSON.stringify(project))
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock))
  const npm = ["sbom", "--package-lock-only", "--sbom-format", "cyclonedx"]
  const bill = JSON.parse(execFileSync("npm", npm, { cwd: folder, encoding: "utf8" }))
  bill.metadata.component.name = project.name
  process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`)
} finally {
  rmSync(folder, { recursive: true })
}
