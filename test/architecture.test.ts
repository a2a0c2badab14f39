import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

/** The import rules that keep the layout what it says: domain ← services ← layers and programs ← entry points. */

const source = fileURLToPath(new URL("../src", import.meta.url))

interface Module {
  /** Path below src, with forward slashes. */
  readonly path: string
  readonly text: string
  /** Imported modules: paths below src for own ones, else the specifier. */
  readonly imports: ReadonlyArray<string>
}

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "")

const importsOf = (path: string, text: string): ReadonlyArray<string> =>
  [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^"';]*?from\s*"([^"]+)"|import\(\s*"([^"]+)"\s*\)|\nimport\s+"([^"]+)"/g
    )
  ]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? "")
    .map((specifier) =>
      specifier.startsWith(".") ? relative(source, resolve(source, dirname(path), specifier)) : specifier
    )

const modules: ReadonlyArray<Module> = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = withoutComments(readFileSync(join(source, path), "utf8"))
    return { path, text, imports: importsOf(path, text) }
  })

const inRoom = (room: string) => modules.filter(({ path }) => path.startsWith(`${room}/`))

const violations = (of: ReadonlyArray<Module>, allowed: (imported: string, by: Module) => boolean) =>
  of.flatMap((module) =>
    module.imports.filter((imported) => !allowed(imported, module)).map((imported) => `${module.path} → ${imported}`)
  )

const isOwn = (imported: string, ...rooms: ReadonlyArray<string>) =>
  rooms.some((room) => imported.startsWith(`${room}/`))

/** The stable core of Effect; what is marked unstable is used in layers and entry points. */
const isPureEffect = (imported: string) => imported === "effect" || imported === "effect/encoding"

/** Pure functions of a library: no I/O, no time. */
const isPureLibrary = (imported: string) => imported.startsWith("@noble/hashes/")

/** Entry points: the library's front door, the process, and the commands. */
const isEntryPoint = ({ path }: Module) =>
  ["JobCollector.ts", "index.ts", "bin.ts", "main.ts"].includes(path) ||
  path.startsWith("cli/") ||
  path.startsWith("testing/")

describe("the layout", () => {
  it("is read at all", () => {
    assert.isAbove(modules.length, 40)
    assert.includeMembers(
      [...(modules.find(({ path }) => path === "domain/delivery/decide.ts")?.imports ?? [])],
      ["domain/delivery/retry.ts"]
    )
  })

  it("domain imports only pure effect modules and itself", () => {
    assert.deepStrictEqual(
      violations(inRoom("domain"), (imported) => isPureEffect(imported) || isOwn(imported, "domain")),
      []
    )
  })

  it("services import domain, and of Effect's unstable modules only the Redis key", () => {
    assert.deepStrictEqual(
      violations(
        inRoom("services"),
        (imported) =>
          isPureEffect(imported) || imported === "effect/persistence/Redis" || isOwn(imported, "domain", "services")
      ),
      []
    )
  })

  it("layers do not import programs or the front door", () => {
    assert.deepStrictEqual(
      violations(inRoom("layers"), (imported) => !isOwn(imported, "programs") && imported !== "JobCollector.ts"),
      []
    )
  })

  it("programs import domain and services, no layer and no driver", () => {
    const programs = inRoom("programs").filter((module) => !isEntryPoint(module))
    assert.deepStrictEqual(
      violations(
        programs,
        (imported) =>
          isPureEffect(imported) || isPureLibrary(imported) || isOwn(imported, "domain", "services", "programs")
      ),
      []
    )
  })

  it("only entry points import programs", () => {
    const others = modules.filter((module) => !isEntryPoint(module) && !module.path.startsWith("programs/"))
    assert.deepStrictEqual(
      violations(others, (imported) => !isOwn(imported, "programs")),
      []
    )
  })

  it("only the simulated world looks into a running collector", () => {
    const inside = (path: string) => path === "programs/collector.ts" || path.startsWith("testing/")
    assert.deepStrictEqual(
      violations(modules, (imported, { path }) => imported !== "programs/inspection.ts" || inside(path)),
      []
    )
  })

  it("a layer's own folder is its own business", () => {
    const faces = new Map([
      ["layers/redis/memory/", "layers/redis/memory/MemoryRedis.ts"],
      ["layers/redis/ioredis/", "layers/redis/ioredis/IoRedis.ts"]
    ])
    const isOpen = (imported: string, path: string) =>
      [...faces].every(([folder, face]) => !imported.startsWith(folder) || imported === face || path.startsWith(folder))
    assert.deepStrictEqual(
      violations(modules, (imported, { path }) => isOpen(imported, path) || path.startsWith("testing/")),
      []
    )
  })

  it("time and chance come from Clock and Random in the event path", () => {
    const forbidden = /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|\bPromise\b/
    const found = ["domain", "services", "programs"]
      .flatMap(inRoom)
      .filter((module) => !isEntryPoint(module) && forbidden.test(module.text))
      .map(({ path }) => path)
    assert.deepStrictEqual(found, [])
  })
})
