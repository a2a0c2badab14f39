import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layer as storeLayer } from "../../src/layers/gatewayConfig/FileConfigStore.ts"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import * as MemoryFileSystem from "../../src/testing/MemoryFileSystem.ts"
import { SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { bundleOf, installationOf } from "./support/bundles.ts"
import { directory } from "./support/machine.ts"
import { World } from "./support/world.ts"

/** The changes that an install makes to a disk, whose files are for a group. */
const changes = ["create", "write", "chmod", "chown", "mkdir", "symlink", "rename", "remove", "sync"]

/** A disk that knows the group of the gateway. */
const withGroup = () => {
  const world = new World({ fileGroup: "gateway" })
  world.disk.makeFolder("/etc", 0o755, true, 0)
  const groups = world.disk.createFile("/etc/group", 0o644, true, 0)
  world.disk.write("/etc/group", groups, 0, new TextEncoder().encode("root:x:0:\ngateway:x:4711:\n"), 0)
  return world
}

/** A process that installed version 1, and is about to be offered version 2. */
const offeredTwo = (world: World) =>
  Effect.gen(function* () {
    world.api.serve(bundleOf(1))
    const sync = yield* world.start()
    yield* sync.tick
    world.api.serve(bundleOf(2))
    return sync
  })

describe("a folder that cannot be written", () => {
  const codes = [
    ["EROFS", "read-only"],
    ["EACCES", "permission denied"],
    ["ENOSPC", "disk is full"],
    ["EBUSY", "in use"]
  ] as const
  for (const [code, words] of codes) {
    for (const operation of changes) {
      it.effect(`${code} at ${operation}: the old set stays, health says why, and it goes on when it can`, () =>
        Effect.gen(function* () {
          const world = withGroup()
          const sync = yield* offeredTwo(world)
          let met = false
          world.disk.fault = (name, path) => {
            if (name !== operation || path.endsWith(".lock")) return undefined
            met = true
            return code
          }
          const outcome = yield* sync.tick
          const status = yield* sync.status
          assert.isTrue(met, `an install has no ${operation}`)
          if (outcome === "failed") {
            assert.strictEqual(status.status, "degraded")
            assert.include(status.problems.join(), words)
            assert.include([1, 2], world.versions()[0])
          } else assert.strictEqual(outcome, "changed")
          assert.strictEqual(new Set(world.versions()).size, 1)
          world.disk.fault = () => undefined
          yield* sync.tick
          assert.deepStrictEqual(world.versions(), [2, 2, 2])
          assert.strictEqual((yield* sync.status).status, "ok")
        })
      )
    }
  }

  it.effect("a lock that cannot be written is not left behind to keep everyone out", () =>
    Effect.gen(function* () {
      const world = new World()
      world.api.serve(bundleOf(1))
      const sync = yield* world.start()
      world.disk.fault = (name, path) => (name === "write" && path.endsWith(".lock") ? "ENOSPC" : undefined)
      assert.strictEqual(yield* sync.tick, "failed")
      assert.include((yield* sync.status).problems.join(), "disk is full")
      assert.isFalse(world.disk.folderAt(directory).entries.has(".lock"))
      world.disk.fault = () => undefined
      assert.strictEqual(yield* sync.tick, "changed")
    })
  )

  it.effect("what was prepared for a file that could not be replaced is not left behind", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* offeredTwo(world)
      world.disk.fault = (name, path) => (name === "write" && path.includes(".state.json") ? "ENOSPC" : undefined)
      yield* sync.tick
      const left = [...world.disk.folderAt(directory).entries.keys()].filter((name) => name.endsWith(".tmp"))
      assert.deepStrictEqual(left, [])
    })
  )

  it.effect("a set that could not be put in place is taken away, even where nothing more can be written", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* offeredTwo(world)
      world.disk.fault = (name, path) =>
        (name === "rename" && path.endsWith("/current")) || (name === "write" && path.includes(".state.json"))
          ? "ENOSPC"
          : undefined
      const before = [...world.disk.folderAt(`${directory}/generations`).entries.keys()]
      assert.strictEqual(yield* sync.tick, "failed")
      assert.deepStrictEqual([...world.disk.folderAt(`${directory}/generations`).entries.keys()], before)
      world.disk.fault = () => undefined
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [2, 2, 2])
    })
  )

  it.effect("a bind-mounted file is told apart: nothing of the old set changes", () =>
    Effect.gen(function* () {
      const world = new World()
      world.disk.makeFolder(directory, 0o755, true, 0)
      for (const name of ["openai.conf", "models.conf", "limits.conf"]) {
        const file = world.disk.createFile(`${directory}/${name}`, 0o644, true, 0)
        world.disk.write(name, file, 0, new TextEncoder().encode(`{"version":0,"name":"${name}"}`), 0)
      }
      world.disk.fault = (operation, path) =>
        operation === "rename" && path === `${directory}/models.conf` ? "EBUSY" : undefined
      world.api.serve(bundleOf(1))
      const sync = yield* world.start()
      assert.strictEqual(yield* sync.tick, "failed")
      assert.deepStrictEqual(world.versions(), [0, 0, 0])
      assert.include((yield* sync.status).problems.join(), "mount the folder instead")
      yield* sync.tick
      const { operations } = world.disk
      yield* sync.tick
      assert.isBelow(world.disk.operations - operations, 60, "the copy of the old set is not made again and again")
    })
  )

  it.effect("a bind-mounted file without links: those replaced already are put back", () =>
    Effect.gen(function* () {
      const world = new World()
      world.disk.fault = (operation) => (operation === "symlink" ? "EPERM" : undefined)
      world.api.serve(bundleOf(1))
      const sync = yield* world.start()
      assert.strictEqual(yield* sync.tick, "changed")
      world.disk.fault = (operation, path) =>
        operation === "symlink"
          ? "EPERM"
          : operation === "rename" && path === `${directory}/limits.conf`
            ? "EBUSY"
            : undefined
      world.api.serve(bundleOf(2))
      assert.strictEqual(yield* sync.tick, "failed")
      assert.deepStrictEqual(world.versions(), [1, 1, 1])
      world.disk.fault = (operation) => (operation === "symlink" ? "EPERM" : undefined)
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [2, 2, 2])
    })
  )

  it.effect("a group that may read the keys is looked up; an unknown one is said", () =>
    Effect.gen(function* () {
      const world = new World({ fileGroup: "gateway" })
      world.api.serve(bundleOf(1))
      const sync = yield* world.start()
      world.disk.makeFolder("/etc", 0o755, true, 0)
      const groups = world.disk.createFile("/etc/group", 0o644, true, 0)
      world.disk.write("/etc/group", groups, 0, new TextEncoder().encode("root:x:0:\n"), 0)
      assert.strictEqual(yield* sync.tick, "failed")
      assert.include((yield* sync.status).problems.join(), "there is no group gateway")
      world.disk.write("/etc/group", groups, 0, new TextEncoder().encode("root:x:0:\ngateway:x:4711:\n"), 0)
      assert.strictEqual(yield* sync.tick, "changed")
      const { gid, mode } = world.disk.fileAt(`${directory}/openai.conf`)
      assert.deepStrictEqual([gid, mode & 0o777], [4711, 0o640])
      assert.strictEqual(world.disk.fileAt(`${directory}/limits.conf`).mode & 0o777, 0o644)
    })
  )

  it.effect("a mangled state file stops installs and says so, rather than forget a hold", () =>
    Effect.gen(function* () {
      const world = new World()
      world.api.serve(bundleOf(1))
      yield* (yield* world.start()).tick
      world.edit(".state.json", () => "{", 5)
      const sync = yield* world.start()
      assert.strictEqual(yield* sync.tick, "failed")
      assert.include((yield* sync.status).problems.join(), ".state.json")
    })
  )
})

describe("what an install costs", () => {
  it.effect("is seven fsyncs", () =>
    Effect.gen(function* () {
      const disk = new SimulatedDisk()
      yield* Effect.gen(function* () {
        const store = yield* ConfigStore
        yield* store.locked(store.install(installationOf(bundleOf(1))))
        const { syncs } = disk
        yield* store.locked(store.install(installationOf(bundleOf(2))))
        assert.strictEqual(disk.syncs - syncs, 7)
      }).pipe(Effect.provide(storeLayer({ directory }).pipe(Layer.provide(MemoryFileSystem.layerDisk(disk)))))
    })
  )
})
