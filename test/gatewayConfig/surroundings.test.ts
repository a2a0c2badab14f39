import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, FileSystem, Layer, PlatformError } from "effect"
import { TestClock } from "effect/testing"
import { makeDurable } from "../../src/layers/gatewayConfig/durable.ts"
import { layer as storeLayer } from "../../src/layers/gatewayConfig/FileConfigStore.ts"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import * as MemoryFileSystem from "../../src/testing/MemoryFileSystem.ts"
import { SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { bundleOf, installationOf } from "./support/bundles.ts"
import { directory, skippingClock } from "./support/machine.ts"
import { World } from "./support/world.ts"

const install = (version: number) =>
  Effect.flatMap(ConfigStore, (store) => store.locked(store.install(installationOf(bundleOf(version)))))

describe("where the folder is", () => {
  for (const path of ["conf", "./conf", "conf/", "a/conf", "a//conf", "../conf", "."]) {
    it.effect(`CONFIG_DIR=${path}, relative and not there yet, is made`, () =>
      Effect.gen(function* () {
        const disk = new SimulatedDisk()
        const platform = MemoryFileSystem.layerDisk(disk)
        yield* Effect.provide(install(1), storeLayer({ directory: path }).pipe(Layer.provide(platform)))
        assert.strictEqual(disk.fileAt(`${path}/limits.conf`).kind, "file")
      })
    )
  }

  it.effect("a working folder that is gone is said, not looked for without end", () => {
    const gone = (method: string) =>
      Effect.fail(PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method }))
    const fs = FileSystem.makeNoop({ exists: () => Effect.succeed(false), makeDirectory: () => gone("makeDirectory") })
    return Effect.map(Effect.flip(makeDurable(fs).ensureFolder("conf")), (error) => {
      assert.strictEqual(error.reason._tag, "NotFound")
    })
  })

  const astray: ReadonlyArray<readonly [what: string, remedy: RegExp, make: (root: string) => string]> = [
    [
      "below a file",
      /a file stands where a folder should be/,
      (root) => {
        execFileSync("touch", [join(root, "file")])
        return join(root, "file", "conf")
      }
    ],
    [
      "a file itself",
      /a file stands where a folder should be/,
      (root) => {
        execFileSync("touch", [join(root, "file")])
        return join(root, "file")
      }
    ],
    [
      "a link that leads nowhere",
      /leads nowhere/,
      (root) => {
        symlinkSync(join(root, "none", "where"), join(root, "conf"))
        return join(root, "conf")
      }
    ],
    [
      "links in a circle",
      /lead in a circle/,
      (root) => {
        symlinkSync("conf", join(root, "conf"))
        return join(root, "conf")
      }
    ],
    ["a path too long", /the path is too long/, (root) => join(root, "x".repeat(300))]
  ]
  for (const [what, remedy, make] of astray) {
    it.effect(`${what} is named, with the remedy`, () => {
      const root = mkdtempSync(join(tmpdir(), "job-collector-astray-"))
      const path = make(root)
      return Effect.flip(install(1)).pipe(
        Effect.provide(storeLayer({ directory: path }).pipe(Layer.provideMerge(NodeFileSystem.layer))),
        Effect.tap((error) =>
          Effect.sync(() => {
            assert.match(error.problem, remedy)
            assert.include(error.problem, root)
          })
        ),
        Effect.ensuring(Effect.sync(() => rmSync(root, { recursive: true })))
      )
    })
  }
})

describe("a file system that gives every file one mode", () => {
  for (const mode of [0o777, 0o755, 0o700]) {
    it.effect(`${mode.toString(8)}: what it answers is taken as it is, no repair follows`, () =>
      Effect.gen(function* () {
        const world = new World()
        world.disk.fixedMode = mode
        world.api.serve(bundleOf(1))
        const sync = yield* world.start()
        assert.strictEqual(yield* sync.tick, "changed")
        for (let n = 0; n < 3; n++) {
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(yield* sync.tick, "unchanged")
        }
        assert.deepStrictEqual((yield* sync.status).problems, [])
        assert.strictEqual(world.gateway.reloads, 1)
        const exposed = world.logged("config.exposed")
        assert.strictEqual(exposed.length, mode === 0o700 ? 0 : 1)
        for (const line of exposed) assert.include(line.text, `0${mode.toString(8)}`)
        assert.strictEqual(yield* (yield* world.start()).tick, "unchanged", "nor after a restart")
      })
    )
  }

  it.effect("and refuses to be told another: installed all the same", () =>
    Effect.gen(function* () {
      const world = new World()
      world.disk.fixedMode = 0o755
      world.disk.fault = (operation) => (operation === "chmod" || operation === "symlink" ? "EPERM" : undefined)
      world.api.serve(bundleOf(1))
      const sync = yield* world.start()
      assert.strictEqual(yield* sync.tick, "changed")
      assert.strictEqual(yield* sync.tick, "unchanged")
    })
  )
})

describe("a command run as root", () => {
  it.effect("leaves everything to the user whose folder it is", () =>
    Effect.gen(function* () {
      const world = new World()
      const service = { uid: 1_000, gid: 1_001 }
      world.disk.user = service
      world.disk.makeFolder(directory, 0o755, true, 0)
      const user = yield* world.start()
      world.api.serve(bundleOf(1))
      yield* user.tick
      world.disk.user = { uid: 0, gid: 0 }
      const owners = (): ReadonlyArray<unknown> => {
        const found: Array<unknown> = []
        const walk = (path: string): void => {
          for (const [name, node] of world.disk.folderAt(path).entries) {
            if (node.kind !== "link") found.push([`${path}/${name}`, node.uid, node.gid])
            if (node.kind === "folder") walk(`${path}/${name}`)
          }
        }
        walk(directory)
        return found.filter((entry) => JSON.stringify(entry).endsWith(",0,0]"))
      }
      yield* world.inAnother(
        Effect.flatMap(ConfigStore, (store) =>
          store.locked(
            Effect.gen(function* () {
              yield* store.update((state) => ({ ...state, hold: { since: 0, until: null } }))
              yield* store.install(installationOf(bundleOf(2)))
              assert.isTrue(world.disk.folderAt(directory).entries.has(".lock"))
              assert.deepStrictEqual(owners(), [])
            })
          )
        )
      )
      assert.deepStrictEqual(owners(), [])
    })
  )

  it.effect("whose lock cannot be read is waited for", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.inAnother(install(1))
      const path = `${directory}/.lock`
      world.disk.createFile(path, 0o600, true, 0)
      world.disk.fault = (operation, at) => (operation === "readFile" && at === path ? "EACCES" : undefined)
      const second = yield* Effect.forkChild(world.inAnother(install(2)))
      yield* TestClock.adjust("1 second")
      assert.isUndefined(second.pollUnsafe())
      world.disk.remove(path, false, false, 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(second.pollUnsafe()?._tag, "Success")
    })
  )
})

describe("something else in the place of a file of our own", () => {
  const things: ReadonlyArray<readonly [what: string, make: (path: string) => void]> = [
    ["a pipe", (path) => void execFileSync("mkfifo", [path])],
    ["a link that leads nowhere", (path) => symlinkSync("nowhere", path)],
    [
      "a link to a pipe",
      (path) => {
        execFileSync("mkfifo", [`${path}.pipe`])
        symlinkSync(`${path}.pipe`, path)
      }
    ],
    ["a link to itself", (path) => symlinkSync(path, path)]
  ]
  const scene = (use: (root: string, store: ConfigStore["Service"]) => Effect.Effect<void, unknown, ConfigStore>) => {
    const root = mkdtempSync(join(tmpdir(), "job-collector-own-"))
    return Effect.gen(function* () {
      yield* install(1)
      yield* install(2)
      yield* use(root, yield* ConfigStore)
    }).pipe(
      Effect.provide(storeLayer({ directory: root }).pipe(Layer.provideMerge(NodeFileSystem.layer))),
      Effect.ensuring(Effect.sync(() => rmSync(root, { recursive: true })))
    )
  }
  const version = (root: string) => JSON.parse(readFileSync(join(root, "limits.conf"), "utf8")).version
  const replaced = (root: string, name: string, make: (path: string) => void) => {
    rmSync(join(root, name), { force: true, recursive: true })
    make(join(root, name))
  }

  for (const [what, make] of things) {
    it.effect(`${what} for .state.json stops installs and says so`, () =>
      scene((root, store) =>
        Effect.gen(function* () {
          replaced(root, ".state.json", make)
          const update = store.locked(store.update((state) => ({ ...state, newest: 9 })))
          for (const step of [Effect.asVoid(store.read), Effect.asVoid(update)]) {
            const error = yield* Effect.flip(step)
            assert.strictEqual(error.reason, "Damaged")
            assert.include(error.problem, ".state.json")
          }
          assert.isFalse(readdirSync(root).includes(".lock"))
        })
      )
    )

    it.effect(`${what} for .journal.json is none, and no install cares`, () =>
      scene((root, store) =>
        Effect.gen(function* () {
          replaced(root, ".journal.json", make)
          yield* store.recover
          yield* install(3)
          assert.strictEqual(version(root), 3)
        })
      )
    )

    it.effect(`${what} for generation.json is seen as drift, and repaired by the next install`, () =>
      scene((root, store) =>
        Effect.gen(function* () {
          replaced(root, "current/generation.json", make)
          assert.deepStrictEqual((yield* store.read).drift, ["generation.json: removed or unreadable"])
          yield* install(3)
          assert.strictEqual(version(root), 3)
        })
      )
    )

    it.effect(`${what} for a file of a generation is not followed`, () =>
      scene((root, store) =>
        Effect.gen(function* () {
          replaced(root, "generations/1/openai.conf", make)
          yield* store.locked(store.revert(1))
          assert.strictEqual(version(root), 1)
          assert.isTrue(statSync(join(root, "openai.conf")).isFile())
        })
      )
    )

    it.effect(`${what} for .lock is waited for with sleep, and taken away when it shows no life`, () =>
      scene((root) =>
        Effect.gen(function* () {
          make(join(root, ".lock"))
          const clock = skippingClock()
          const start = clock.currentTimeMillisUnsafe()
          yield* install(3).pipe(Effect.provideService(Clock.Clock, clock))
          assert.closeTo(clock.currentTimeMillisUnsafe() - start, 30_000, 1_000)
          assert.strictEqual(version(root), 3)
        })
      )
    )
  }

  it.effect("a folder for .lock is left alone, and named", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* world.inAnother(install(1))
      world.disk.makeFolder(`${directory}/.lock/mine`, 0o755, true, 0)
      const fiber = yield* Effect.forkChild(Effect.flip(world.inAnother(install(2))))
      yield* TestClock.adjust("1 minute")
      const exit = fiber.pollUnsafe()
      assert.include(JSON.stringify(exit), ".lock: a folder stands in its place: move it away")
      assert.isTrue(world.disk.folderAt(`${directory}/.lock`).entries.has("mine"))
    })
  )
})

describe("a failure of an open file", () => {
  it.effect("names its path, not a descriptor", () =>
    Effect.gen(function* () {
      for (const operation of ["write", "sync"]) {
        const world = new World()
        world.disk.fault = (name, path) => (name === operation && path.includes("openai.conf") ? "ENOSPC" : undefined)
        const error = yield* Effect.flip(world.inAnother(install(1)))
        assert.match(error.problem, /\/config\/generations\/1\/openai\.conf: the disk is full: make room$/, operation)
      }
    })
  )
})
