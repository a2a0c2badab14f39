/** What the bundled command has of other authors, with their licenses. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

interface Manifest {
  readonly name?: string
  readonly version?: string
  readonly license?: string
}

const manifestIn = (folder: string): Manifest => {
  const file = join(folder, "package.json")
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {}
}

/** The folder of the package that a module belongs to; a `package.json` without a name only marks a module format. */
const packageOf = (module: string): string => {
  let folder = dirname(module)
  while (manifestIn(folder).name === undefined) folder = dirname(folder)
  return folder
}

const notice = (folder: string): string => {
  const { license, name, version } = manifestIn(folder)
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file))
  if (license === undefined || files.length === 0) throw new Error(`${name} comes without a license`)
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim())
  return [`${name} ${version} (${license})`, ...texts].join("\n\n")
}

/** The notice for these modules' packages: name, version and license of each, with the license's text. */
export const thirdParty = (modules: ReadonlyArray<string>): string => {
  const folders = new Set(modules.filter((module) => module.includes("/node_modules/")).map(packageOf))
  const notices = [...folders].sort().map(notice)
  return `The command contains code of these packages.\n\n${notices.join(`\n\n${"-".repeat(80)}\n\n`)}\n`
}
