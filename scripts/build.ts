/** `npm run build`: the library with its types, and the command that needs no other package, in `dist/`. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bundleCommand } from "./bundle/command.ts"
import { bundleLibrary } from "./bundle/library.ts"

const root = join(import.meta.dirname, "..")
const out = join(root, "dist")

const write = (file: string, text: string) => {
  if (readFileSync(file, "utf8") !== text) writeFileSync(file, text)
}

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
write(
  join(root, "src/layers/node/version.ts"),
  `/** This package's version; written by \`npm run build\`. */\nexport const version: string = ${JSON.stringify(version)}\n`
)
rmSync(out, { recursive: true, force: true })
const compiler = spawn("tsc", ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" })
const [[status]] = await Promise.all([once(compiler, "exit"), bundleCommand(root, out), bundleLibrary(root, out)])
process.exitCode = status === 0 ? 0 : 1
