import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"

const lock: {
  packages: Record<string, { version?: string; integrity?: string; dev?: boolean; optional?: boolean }>
} = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"))

const locked = Object.entries(lock.packages).filter(([path]) => path !== "")
const nameOf = (path: string) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)

test("every locked package has the hash that npm checks it against", () => {
  const unchecked = locked.filter(([, { integrity }]) => integrity === undefined).map(([path]) => nameOf(path))
  // Binaries of a development tool for other platforms: the registry the lock file was made with does not carry them.
  expect(unchecked.filter((name) => !/^@effect\/tsgo-(?:darwin|linux|win32)-/.test(name))).toEqual([])
})

test("what is installed with the service is there once", () => {
  const versions = Map.groupBy(
    locked.filter(([, { dev }]) => dev !== true),
    ([path]) => nameOf(path)
  )
  expect([...versions].filter(([, found]) => found.length > 1).map(([name]) => name)).toEqual([])
})

test("the bill of materials names all that is installed with the service, and no more", () => {
  const script = fileURLToPath(new URL("../scripts/sbom.ts", import.meta.url))
  const bill: { components: ReadonlyArray<{ name: string; version: string }> } = JSON.parse(
    execFileSync(process.execPath, [script], { encoding: "utf8" })
  )
  expect(bill.components.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(
    locked
      .filter(([, { dev, optional }]) => dev !== true && optional !== true)
      .map(([path, { version }]) => `${nameOf(path)}@${version}`)
      .sort()
  )
})
