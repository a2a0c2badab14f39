/** The import rules that keep the layout what it says: domain ← services ← layers and programs ← entry points. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { deadExports, folderOf, type Module, moduleCircles, moduleOf, modulesIn } from "./support/source-modules.ts"

const directory = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

const modules = modulesIn(directory("src"))

/** What any module may use: the stable core of Effect, and pure functions of a library: no I/O, no time. */
const everywhere = ["effect", "effect/encoding", "@noble/hashes/"]

/** What API authors take without the rest: it imports nothing outside itself, not even Effect. */
const alone = "verifier"

const text = ["domain/json/", "domain/text/"]
const model = ["domain/", "services/"]
const effectNode = ["effect/", "@effect/platform-node/"]

/**
 * Folder → what its modules, and those below it, may import beside themselves. The deepest folder that is named counts. What
 * ends in `/` stands for all below it, anything else for one module. Effect's unstable modules, drivers and Node stand with
 * layers and entry points only.
 */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  "domain/json": [],
  "domain/text": [],
  "domain/signing": [...text, "verifier/"],
  // Of delivery a kind has what it says of answers and retries; those modules know nothing of events.
  "domain/events": [
    ...text,
    "domain/signing/",
    "domain/traffic/isolation.ts",
    "domain/traffic/rate.ts",
    "domain/delivery/answer.ts",
    "domain/delivery/attempt.ts",
    "domain/delivery/kindAnswer.ts",
    "domain/delivery/retry.ts"
  ],
  "domain/alerts": [...text, "domain/delivery/", "domain/events/", "domain/options/"],
  "domain/audit": [...text, "domain/events/"],
  "domain/traffic": text,
  "domain/replicas": [...text, "domain/events/"],
  "domain/delivery": [...text, "domain/events/", "domain/traffic/"],
  "domain/gatewayConfig": [...text, "domain/signing/"],
  "domain/options": ["domain/"],
  services: ["domain/", "verifier/", "effect/persistence/Redis"],

  "layers/gateway": [...model, "effect/http", "effect/process"],
  "layers/gatewayConfig": model,
  "layers/http": [
    ...model,
    "effect/http",
    "effect/observability",
    "undici/index.js",
    "node:http",
    "node:https",
    "node:net",
    "@effect/platform-node/"
  ],
  "layers/alerts": [...model, "layers/signing/", "effect/http"],
  "layers/jobsApi": [...model, "layers/signing/", "effect/http"],
  "layers/node": [...model, "node:module", "node:os", "node:path", "node:perf_hooks", "node:process", "node:v8"],
  "layers/redis": model,
  "layers/redis/ioredis": [
    ...model,
    "effect/persistence/Redis",
    "ioredis",
    "node:buffer",
    "node:crypto",
    "node:net",
    "node:tls"
  ],
  "layers/redis/memory": [...model, "effect/persistence/Redis"],
  "layers/settings": [...model, "layers/redis/ioredis/", "node:crypto"],
  "layers/signing": [...model, "verifier/", "effect/crypto", "@noble/ed25519", "node:crypto"],
  "layers/telemetry": [...model, "effect/http", "effect/observability"],

  verifier: [],

  programs: [...model, "programs/"],
  "programs/alerts": [...model, "programs/delivery/", "programs/redis/", "programs/supervision/"],
  "programs/conformance": [...model, "programs/gatewayConfig/"],
  "programs/delivery": [...model, "programs/redis/", "programs/supervision/"],
  "programs/gatewayConfig": [...model, "programs/supervision/"],
  "programs/health": [
    ...model,
    "programs/delivery/",
    "programs/gatewayConfig/",
    "programs/redis/",
    "programs/supervision/"
  ],
  "programs/operator": [
    "programs/delivery/",
    ...model,
    "programs/gatewayConfig/",
    "programs/health/",
    "programs/redis/",
    "programs/traffic/"
  ],
  "programs/redis": model,
  "programs/traffic": [...model, "programs/delivery/", "programs/redis/", "programs/supervision/"],
  "programs/supervision": [...model, "programs/redis/"],

  // Entry points: the library's front door and the process (in the root), the commands, the simulated world.
  ".": [...model, ...effectNode, "layers/", "programs/", "cli/", "verifier/"],
  cli: [...model, ...effectNode, "layers/", "programs/", "console/", "JobCollector.ts"],
  console: [...model, ...effectNode, "layers/", "programs/", "console/", "node:crypto", "node:net"],
  testing: [...model, "layers/redis/memory/", "testing/"],
  "testing/world": [
    ...model,
    "effect/FileSystem",
    "effect/http",
    "effect/persistence/Redis",
    "layers/http/",
    "layers/redis/memory/",
    "programs/inspection.ts",
    "JobCollector.ts",
    "testing/MemoryFileSystem.ts",
    "testing/SimulatedDisk.ts",
    "testing/SimulatedSigner.ts"
  ],
  "testing/simulation": [
    ...model,
    "effect/cli",
    "effect/http",
    "effect/process/ChildProcessSpawner",
    "layers/http/",
    "cli/",
    "programs/",
    "JobCollector.ts",
    "testing/"
  ]
}

/** Modules of a layer's folder that are open to all, beside its faces; those have a name with a capital, as layers do. */
const open = [
  "layers/gatewayConfig/group.ts",
  "layers/signing/authorize.ts",
  "layers/signing/native.ts",
  "layers/signing/noble.ts",
  "layers/signing/signer.ts"
]

const covers = (pattern: string, path: string) => {
  if (pattern === "./") return /^[^/]+\.ts$/.test(path)
  if (pattern.endsWith("/")) return path.startsWith(pattern)
  return path === pattern || (pattern.startsWith("effect/") && path.startsWith(`${pattern}/`))
}

/** The deepest folder of the table that a module stands in. */
const roomOf = ({ path }: Module): string | undefined =>
  Object.keys(mayImport)
    .filter((folder) => (folder === "." ? !path.includes("/") : path.startsWith(`${folder}/`)))
    .sort((a, b) => b.length - a.length)[0]

const importProblems = (of: ReadonlyArray<Module>): ReadonlyArray<string> =>
  of.flatMap((module) => {
    const room = roomOf(module)
    if (room === undefined) return [`${module.path} stands in a folder that the table does not name`]
    const allowed = [...(room === alone ? [] : everywhere), `${room}/`, ...(mayImport[room] ?? [])]
    return module.imports
      .filter(({ from }) => !allowed.some((pattern) => covers(pattern, from)))
      .map(({ from }) => `${module.path} → ${from}`)
  })

const isFace = (path: string) => open.includes(path) || /\/[A-Z][^/]*$/.test(path)

const insideProblems = (of: ReadonlyArray<Module>): ReadonlyArray<string> =>
  of.flatMap((module) =>
    module.imports
      .filter(({ from }) => from.startsWith("layers/") && !isFace(from))
      .filter(({ from }) => folderOf(module) !== folderOf({ path: from }))
      .map(({ from }) => `${module.path} → ${from}`)
  )

describe("the layout", () => {
  it("is read at all", () => {
    assert.isAbove(modules.length, 40)
    const decide = modules.find(({ path }) => path === "domain/delivery/decide.ts")
    assert.include(decide?.imports.map(({ from }) => from) ?? [], "domain/delivery/attempt.ts")
    assert.include(decide?.exports ?? [], "decide")
  })

  it("every folder imports only what the table allows it", () => {
    assert.deepStrictEqual(importProblems(modules), [])
  })

  it("the table names no folder that is not there", () => {
    const rooms = new Set(modules.map(roomOf))
    assert.deepStrictEqual(
      Object.keys(mayImport).filter((folder) => !rooms.has(folder)),
      []
    )
  })

  it("only the layer reads what a driver says of a failure: whoever handles it goes by its reason", () => {
    const knows = (from: string) => from === "services/Redis.ts" || from === "layers/redis/classify.ts"
    const readers = modules.filter(
      ({ imports, path }) => /^(?:programs|cli)\//.test(path) && imports.some(({ from }) => knows(from))
    )
    // What a command is given as its way to Redis.
    assert.deepStrictEqual(
      readers.map(({ path }) => path),
      ["cli/operator.ts"]
    )
  })

  it("a planted upward import is found, a type's too, and so is a folder that is new", () => {
    const planted = (path: string, source: string) => importProblems([moduleOf(path, source)])
    assert.deepStrictEqual(planted("domain/events/up.ts", 'import type { Redis } from "../../services/Redis.ts"\n'), [
      "domain/events/up.ts → services/Redis.ts"
    ])
    assert.deepStrictEqual(planted("programs/delivery/back.ts", 'export * from "../../JobCollector.ts"\n'), [
      "programs/delivery/back.ts → JobCollector.ts"
    ])
    assert.deepStrictEqual(planted("layers/http/late.ts", 'const late = import("../gateway/NodeGateway.ts")\n'), [
      "layers/http/late.ts → layers/gateway/NodeGateway.ts"
    ])
    assert.deepStrictEqual(planted("programs/redis/driver.ts", 'import { Redis } from "ioredis"\n'), [
      "programs/redis/driver.ts → ioredis"
    ])
    assert.deepStrictEqual(planted("verifier/rich.ts", 'import { Effect } from "effect"\nimport "node:crypto"\n'), [
      "verifier/rich.ts → effect",
      "verifier/rich.ts → node:crypto"
    ])
    assert.deepStrictEqual(planted("attic/old.ts", ""), [
      "attic/old.ts stands in a folder that the table does not name"
    ])
  })

  it("only the simulated world looks into a running collector", () => {
    const lookers = modules.filter(({ imports }) => imports.some(({ from }) => from === "programs/inspection.ts"))
    const others = lookers.filter(({ path }) => path !== "programs/collector.ts" && !path.startsWith("testing/"))
    assert.deepStrictEqual(
      others.map(({ path }) => path),
      []
    )
  })

  it("a layer's folder is private to it but for its face", () => {
    assert.deepStrictEqual(insideProblems(modules), [])
    const inside = moduleOf("cli/planted.ts", 'import { router } from "../layers/redis/ioredis/router.ts"\n')
    assert.deepStrictEqual(insideProblems([inside]), ["cli/planted.ts → layers/redis/ioredis/router.ts"])
  })

  it("there is no circle, type imports included; a planted one is found", () => {
    assert.deepStrictEqual(moduleCircles(modules), [])
    const circle = [
      ...modules,
      moduleOf("domain/events/one.ts", 'import type { Two } from "./two.ts"\n'),
      moduleOf("domain/events/two.ts", 'import { three } from "./three.ts"\n'),
      moduleOf("domain/events/three.ts", 'export * from "./one.ts"\n')
    ]
    assert.deepStrictEqual(moduleCircles(circle), [
      ["domain/events/one.ts", "domain/events/three.ts", "domain/events/two.ts"]
    ])
  })

  it("every export is used somewhere; a planted dead one is found", () => {
    const trees = ["src", "test", "sandbox", "bench", "examples", "scripts"].flatMap((tree) =>
      modulesIn(directory(tree), tree)
    )
    const source = trees.filter(({ path }) => path.startsWith("src/"))
    assert.deepStrictEqual(deadExports(source, trees), [])
    const dead = moduleOf("src/domain/events/planted.ts", "export const planted = 1\n")
    assert.deepStrictEqual(deadExports([...source, dead], [...trees, dead]), ["src/domain/events/planted.ts planted"])
  })

  it("an effect with arguments is an Effect.fn, no arrow around Effect.gen; planted ones are found", () => {
    // Not: one with type parameters, which Effect.fn would not infer.
    const wrapping =
      /(?:= |, )(\([^()]+(?:\([^()]*\)[^()]*)*\))(?:: (?:(?!=>|\n\n)[\s\S])*)? =>\s*Effect\.gen\(function/g
    const found = (of: ReadonlyArray<Module>) =>
      of.flatMap(({ path, text }) => [...text.matchAll(wrapping)].map(([, parameters]) => `${path} ${parameters}`))
    assert.deepStrictEqual(found(modules), [])
    const planted = [
      "const one = (a: A, b: () => B): Effect.Effect<A> =>\n  Effect.gen(function* () {})\n",
      "Effect.forEach(all, ({ id }) =>\n  Effect.gen(function* () {})\n",
      "const none = () => Effect.gen(function* () {})\nconst typed = <A>(a: A) => Effect.gen(function* () {})\n"
    ]
    assert.deepStrictEqual(found(planted.map((text) => moduleOf("cli/planted.ts", text))), [
      "cli/planted.ts (a: A, b: () => B)",
      "cli/planted.ts ({ id })"
    ])
  })

  it("time and chance come from Clock and Random in the event path", () => {
    const forbidden = /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|\bPromise\b/
    const found = modules
      .filter(({ path }) => /^(domain|services|programs)\//.test(path))
      .filter(({ text }) => forbidden.test(text))
      .map(({ path }) => path)
    assert.deepStrictEqual(found, [])
  })
})

describe("the map of the tests, test/README.md,", () => {
  const [, map = ""] = readFileSync(directory("test/README.md"), "utf8").split("## Which tests hold which folder")
  const rows = [...map.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, folder = "", tests = ""]) => ({
    folder,
    tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, test = ""]) => test)
  }))

  it("names every folder of the source, and no other", () => {
    const folders = new Set(modules.map(folderOf))
    folders.delete(".")
    assert.sameMembers(
      rows.map(({ folder }) => folder),
      [...folders]
    )
  })

  it("has tests for each, and all of them are there", () => {
    for (const { folder, tests } of rows) assert.isNotEmpty(tests, folder)
    const missing = rows.flatMap(({ tests }) => tests).filter((test) => !existsSync(directory(`test/${test}`)))
    assert.deepStrictEqual(missing, [])
  })
})
