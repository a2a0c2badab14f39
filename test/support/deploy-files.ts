/** The files of deploy/ and docs/, read for tests. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"
import { parseAllDocuments } from "yaml"

export const root = fileURLToPath(new URL("../..", import.meta.url))
export const read = (path: string): string => readFileSync(join(root, path), "utf8")
/** YAML documents, read as Kubernetes and Prometheus read them. */
export const documents = (text: string): Array<unknown> =>
  parseAllDocuments(text, { version: "1.1" }).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS()
  })

/** Steps into parsed YAML by keys and positions; undefined where there is nothing. */
export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (found, key) => (typeof found !== "object" || found === null ? undefined : Reflect.get(found, key)),
    value
  )
export const listAt = (value: unknown, ...path: ReadonlyArray<string | number>): Array<unknown> => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The documents of a file. */
export const yaml = (path: string): Array<unknown> => documents(read(path))

/** The variables that the service reads, from the modules that declare them. */
export const settingNames = (): ReadonlySet<string> =>
  new Set(
    globSync("src/layers/settings/*.ts", { cwd: root }).flatMap((path) =>
      [...read(path).matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g)].map(([, name]) => name!)
    )
  )
