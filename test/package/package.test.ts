/** The package as somebody else installs it: what is in it, what types it has, and what bundlers make of a host app. */
import { execFileSync, spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import { publint } from "publint"
import { rolldown } from "rolldown"
import { root } from "../support/bundle.ts"

const modules = join(root, "node_modules")

let elsewhere: string
let host: string
let tarball: string
const installed = () => join(host, "node_modules/job-collector")

/** A program of the development dependencies: its exit status and what it said. */
const run = (program: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(join(modules, ".bin", program), args, { cwd: host, encoding: "utf8" })
  return { status, said: `${stdout}${stderr}` }
}

beforeAll(() => {
  elsewhere = mkdtempSync(join(tmpdir(), "package-"))
  host = join(elsewhere, "host")
  mkdirSync(installed(), { recursive: true })
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", elsewhere], {
    cwd: root,
    encoding: "utf8"
  })
  tarball = join(elsewhere, readdirSync(elsewhere).find((name) => name.endsWith(".tgz")) ?? packed)
  execFileSync("tar", ["xzf", tarball, "-C", installed(), "--strip-components=1"])
  // What npm would install beside it; the registry is not asked.
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), "@types/node"]) {
    mkdirSync(join(host, "node_modules", dirname(name)), { recursive: true })
    symlinkSync(join(modules, name), join(host, "node_modules", name))
  }
  cpSync(join(import.meta.dirname, "host/main.ts"), join(host, "main.ts"))
  cpSync(join(import.meta.dirname, "host/main.ts"), join(host, "commonjs.cts"))
  writeFileSync(join(host, "package.json"), JSON.stringify({ name: "host", type: "module", private: true }))
})

afterAll(() => rmSync(elsewhere, { recursive: true }))

describe("the package", () => {
  it("has what its README links to", () => {
    const links = [...readFileSync(join(installed(), "README.md"), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
    assert.isAbove(links.length, 20)
    assert.deepStrictEqual(
      links.map(([, path = ""]) => path).filter((path) => !existsSync(join(installed(), path))),
      []
    )
  })

  it("has license, changelog and pages for agents, and no maps without their sources", () => {
    const files = readdirSync(installed(), { recursive: true, encoding: "utf8" })
    for (const file of ["LICENSE", "CHANGELOG.md", "AGENTS.md", "llms.txt", "dist/command/THIRD-PARTY.txt"])
      assert.include(files, file)
    assert.deepStrictEqual(
      files.filter((file) => file.endsWith(".map")),
      []
    )
  })

  it("runs nothing when it is installed", () => {
    const { keywords, scripts } = JSON.parse(readFileSync(join(installed(), "package.json"), "utf8"))
    assert.isNotEmpty(keywords)
    for (const name of ["preinstall", "install", "postinstall", "prepare"]) assert.notProperty(scripts, name)
  })

  it("stays within its size", () => {
    const sizeOf = (folder: string) =>
      readdirSync(join(installed(), folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
    assert.isBelow(statSync(tarball).size, 1_600_000, "the tarball")
    assert.isBelow(sizeOf("."), 6_500_000, "unpacked")
    assert.isBelow(sizeOf("dist/command"), 3_300_000, "the command and its console")
    assert.isBelow(sizeOf("dist/verifier"), 80_000, "the verifier")
  })

  it("is in order for publint", async () => {
    const { messages } = await publint({ pkgDir: installed(), pack: false, strict: true })
    assert.deepStrictEqual(messages, [])
  })

  it("has types where code is, for each way of resolving (attw)", () => {
    // `require` of these modules works from Node.js 22.12 on.
    const { said, status } = run("attw", tarball, "--profile", "node16", "--ignore-rules", "cjs-resolves-to-esm")
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

  it("compiles under the strictest settings as ES modules (node16), and as either (nodenext), and runs as either", () => {
    for (const { said, status } of [compile("node16", "main.ts"), compile("nodenext", "main.ts", "commonjs.cts")])
      assert.strictEqual(status, 0, said)
    runs(join(host, "out-node16/main.js"))
    runs(join(host, "out-nodenext/commonjs.cjs"))
  })

  it("becomes one file with esbuild, and runs where there is nothing else", async () => {
    const outfile = join(elsewhere, "esbuild.mjs")
    // The drivers are CommonJS, which asks for Node's modules by `require`.
    const banner = {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
    }
    await build({
      absWorkingDir: host,
      entryPoints: ["main.ts"],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile,
      banner,
      logLevel: "silent"
    })
    runs(outfile)
  })

  it("becomes one file with rolldown, and runs where there is nothing else", async () => {
    const bundle = await rolldown({ input: join(host, "main.ts"), platform: "node", logLevel: "silent" })
    await bundle.write({ file: join(elsewhere, "rolldown.mjs"), codeSplitting: false })
    await bundle.close()
    runs(join(elsewhere, "rolldown.mjs"))
  })
})
