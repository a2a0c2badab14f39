/** The package as somebody else installs it: what is in it, what types it has, and what bundlers make of a host app. */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { publint } from "publint"
import { root } from "../support/bundle.ts"
import { type PackedHost, packHost } from "../support/packedHost.ts"
import { RedisServer } from "../support/redis-server.ts"
import { prepareWays, tryWay } from "../support/runtimes.ts"

const modules = join(root, "node_modules")

let packed: PackedHost
let elsewhere: string
let host: string

/** A program of the development dependencies: its exit status and what it said. */
const run = (program: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(join(modules, ".bin", program), args, { cwd: host, encoding: "utf8" })
  return { status, said: `${stdout}${stderr}` }
}

beforeAll(() => {
  packed = packHost()
  ;({ elsewhere, host } = packed)
  for (const name of ["main.ts", "exports.ts", "commonjs-node16.cts"])
    cpSync(join(import.meta.dirname, "host", name), join(host, name))
  cpSync(join(import.meta.dirname, "host/main.ts"), join(host, "commonjs.cts"))
})

afterAll(() => packed.remove())

describe("the package", () => {
  it("has what its README links to", () => {
    const links = [...readFileSync(join(packed.installed, "README.md"), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
    assert.isAbove(links.length, 20)
    assert.deepStrictEqual(
      links.map(([, path = ""]) => path).filter((path) => !existsSync(join(packed.installed, path))),
      []
    )
  })

  it("has license, changelog and pages for agents, and no maps without their sources", () => {
    const files = readdirSync(packed.installed, { recursive: true, encoding: "utf8" })
    for (const file of ["LICENSE", "CHANGELOG.md", "AGENTS.md", "llms.txt", "dist/command/THIRD-PARTY.txt"])
      assert.include(files, file)
    assert.deepStrictEqual(
      files.filter((file) => file.endsWith(".map")),
      []
    )
  })

  it("runs nothing when it is installed", () => {
    const { keywords, scripts } = JSON.parse(readFileSync(join(packed.installed, "package.json"), "utf8"))
    assert.isNotEmpty(keywords)
    for (const name of ["preinstall", "install", "postinstall", "prepare"]) assert.notProperty(scripts, name)
  })

  it("stays within its size", () => {
    const sizeOf = (folder: string) =>
      readdirSync(join(packed.installed, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
    assert.isBelow(statSync(packed.tarball).size, 1_600_000, "the tarball")
    assert.isBelow(sizeOf("."), 6_500_000, "unpacked")
    assert.isBelow(sizeOf("dist/command"), 3_300_000, "the command and its console")
    assert.isBelow(sizeOf("dist/verifier"), 80_000, "the verifier")
  })

  it("is in order for publint", async () => {
    const { messages } = await publint({ pkgDir: packed.installed, pack: false, strict: true })
    assert.deepStrictEqual(messages, [])
  })

  it("has types where code is, for each way of resolving (attw)", () => {
    // `require` of these modules works from Node.js 22.12 on.
    const { said, status } = run("attw", packed.tarball, "--profile", "node16", "--ignore-rules", "cjs-resolves-to-esm")
    assert.strictEqual(status, 0, said)
  })
})

describe("a host app", () => {
  /** `dom` is for Effect's own types, which name CryptoKey. */
  const strictest = {
    target: "es2024",
    lib: ["es2024", "esnext.iterator", "esnext.collection", "dom", "dom.iterable", "dom.asynciterable"],
    types: ["node"],
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    noImplicitOverride: true,
    noUnusedLocals: true,
    isolatedModules: true,
    declaration: true,
    rootDir: "."
  }

  const compile = (module: string, ...files: ReadonlyArray<string>) => {
    const config = join(host, `tsconfig.${module}.json`)
    const compilerOptions = { ...strictest, module, moduleResolution: module, outDir: `out-${module}` }
    writeFileSync(config, JSON.stringify({ compilerOptions, files }))
    return run("tsc", "-p", config)
  }

  const runs = (...args: ReadonlyArray<string>) => {
    const { stderr, stdout } = spawnSync(process.execPath, args, { cwd: elsewhere, encoding: "utf8" })
    assert.match(stdout, /^the collector is \w+$/m, stderr)
  }

  it("compiles under the strictest settings as either module system, by node16 and by nodenext, and runs", () => {
    // Under node16, CommonJS can ask for an ES module by import() alone.
    for (const { said, status } of [
      compile("node16", "main.ts", "commonjs-node16.cts"),
      compile("nodenext", "main.ts", "commonjs.cts")
    ])
      assert.strictEqual(status, 0, said)
    for (const program of ["node16/main.js", "node16/commonjs-node16.cjs", "nodenext/commonjs.cjs"])
      runs(join(host, `out-${program}`))
  })

  it("may export all that it makes of the package: its declarations can name every type", () => {
    const { said, status } = compile("nodenext", "exports.ts")
    assert.strictEqual(status, 0, said)
  })

  it("delivers in every way in which a runtime can take it, with nothing beside it where it is one file", async () => {
    const redis = await RedisServer.start()
    try {
      const ways = await prepareWays(packed, redis.url)
      const verdicts = await Promise.all(
        ways.map(async (way) => ({ [way.title]: await tryWay(way, [process.execPath], packed) }))
      )
      for (const verdict of verdicts)
        assert.deepStrictEqual(Object.values(verdict), [{ well: true }], JSON.stringify(verdict))
    } finally {
      await redis.stop()
    }
  })
})
