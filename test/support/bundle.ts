/** The built command's files, and what each of them imports. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** What is copied to a machine. */
export const commandFiles: ReadonlyArray<string> = [
  "dist/bin.js",
  ...readdirSync(join(root, "dist/command")).map((name) => `dist/command/${name}`)
]

const imports = (file: string, pattern: RegExp) =>
  [...readFileSync(join(root, file), "utf8").matchAll(pattern)].map(([, from = ""]) => from)

/** What a module has loaded before it runs. */
export const importsOf = (file: string) => imports(file, /^(?:import|export)\b[^;='"]*["']([^"']+)["'];$/gm)

/** What it loads while it runs. */
export const lazyImportsOf = (file: string) => imports(file, /\bimport\(["']([^"']+)["']\)/g)

/** A module of the command and all that is loaded with it. */
export const loadedWith = (file: string, seen = new Set<string>()): ReadonlySet<string> => {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const from of importsOf(file)) if (from.startsWith(".")) loadedWith(join(dirname(file), from), seen)
  return seen
}
