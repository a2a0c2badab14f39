import { readFileSync } from "node:fs"
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
