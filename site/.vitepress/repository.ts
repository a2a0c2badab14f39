/** The repository that the site is made from. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Where its sources can be read, `https://github.com/…`; without it, what leads to a source is no link. */
export const repositoryUrl = process.env.REPOSITORY_URL?.replace(/\/$/, "")

export const read = (file: string): string => readFileSync(root + file, "utf8")
export const exists = (file: string): boolean => existsSync(root + file)

/** A page's heading. */
export const titleOf = (file: string): string => /^# (.+)$/m.exec(read(file))?.[1]?.replaceAll("`", "") ?? file

export const decisions: ReadonlyArray<string> = readdirSync(`${root}docs/decisions`)
  .filter((name) => /^\d/.test(name))
  .sort()
  .map((name) => `docs/decisions/${name}`)

export const examples: ReadonlyArray<string> = [
  ...read("examples/README.md").matchAll(/\]\(([\w-][\w.-]*\.(?:ts|py))\)/g)
].map(([, name]) => `examples/${name}`)
