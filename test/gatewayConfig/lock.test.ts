import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import { bundleOf } from "./support/bundles.ts"
import { directory } from "./support/machine.ts"
import { World } from "./support/world.ts"

const path = `${directory}/.lock`

/** A lock as another process left it; by default one of this machine and boot. */
const leave = (world: World, holder: object | string) => {
  const text =
    typeof holder === "string"
      ? holder
      : JSON.stringify({ host: "simulated", bootId: "boot-1", pid: 4711, startTime: "5", nonce: "n", ...holder })
  world.disk.makeFolder(directory, 0o755, true, 0)
  world.disk.write(path, world.disk.createFile(path, 0o600, true, 0), 0, new TextEncoder().encode(text), 0)
}

/** How long a first install took, in milliseconds of the test's clock, and how it went. */
const install = (world: World, during: (at: number) => void = () => {}) =>
  Effect.gen(function* () {
    world.api.serve(bundleOf(1))
    const sync = yield* world.start()
    const fiber = yield* Effect.forkChild(sync.tick)
    let took = 0
    yield* TestClock.adjust(0)
    while (fiber.pollUnsafe() === undefined) {
      took += 250
      during(took)
      yield* TestClock.adjust(250)
    }
    return { outcome: yield* Fiber.join(fiber), took, status: yield* sync.status }
  })

describe("the single-writer lock", () => {
  const dead: ReadonlyArray<readonly [string, object]> = [
    ["a process that is gone", { pid: 4711 }],
    ["a process whose pid was given out again", { pid: 101, startTime: "0" }],
    ["an earlier boot", { bootId: "boot-0", pid: 101, startTime: "1" }]
  ]
  for (const [name, holder] of dead) {
    it.effect(`of ${name} is taken over at once`, () =>
      Effect.gen(function* () {
        const world = new World()
        leave(world, holder)
        const { outcome, took } = yield* install(world)
        assert.deepStrictEqual([outcome, took], ["changed", 0])
        assert.isFalse(world.disk.folderAt(directory).entries.has(".lock"))
      })
    )
  }

  const silent: ReadonlyArray<readonly [string, object | string]> = [
    ["another host", { host: "elsewhere" }],
    ["somebody unreadable", ""]
  ]
  for (const [name, holder] of silent) {
    it.effect(`of ${name} that shows no life is taken over after 30 s`, () =>
      Effect.gen(function* () {
        const world = new World()
        leave(world, holder)
        const { outcome, took } = yield* install(world)
        assert.deepStrictEqual([outcome, took], ["changed", 30_000])
      })
    )
  }

  it.effect("of another host that goes on showing life is respected; the tick fails and names it", () =>
    Effect.gen(function* () {
      const world = new World()
      leave(world, { host: "elsewhere" })
      const { outcome, status, took } = yield* install(world, (at) => {
        if (at % 5_000 === 0) world.disk.setMeta("utimes", path, {}, at)
      })
      assert.deepStrictEqual([outcome, took], ["failed", 40_000])
      assert.include(status.problems.join(), "pid 4711 on elsewhere")
      assert.isTrue(world.disk.folderAt(directory).entries.has(".lock"))
    })
  )

  it.effect("is waited for, and shows life every 5 s while it is held", () =>
    Effect.gen(function* () {
      const world = new World()
      const order: Array<string> = []
      const long = world.inAnother(
        Effect.flatMap(ConfigStore, (store) =>
          store.locked(
            Effect.andThen(
              Effect.sleep("12 seconds"),
              Effect.sync(() => order.push("first"))
            )
          )
        )
      )
      const first = yield* Effect.forkChild(long)
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(
        world.inAnother(Effect.flatMap(ConfigStore, (store) => store.locked(Effect.sync(() => order.push("second")))))
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(world.disk.fileAt(path).mtime, 10_000)
      assert.deepStrictEqual(order, [])
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.deepStrictEqual(order, ["first", "second"])
    })
  )

  it.effect("is given back when the holder is interrupted or fails", () =>
    Effect.gen(function* () {
      const world = new World()
      const held = yield* Effect.forkChild(
        world.inAnother(Effect.flatMap(ConfigStore, (store) => store.locked(Effect.never)))
      )
      yield* TestClock.adjust("1 second")
      assert.isTrue(world.disk.folderAt(directory).entries.has(".lock"))
      yield* Fiber.interrupt(held)
      assert.isFalse(world.disk.folderAt(directory).entries.has(".lock"))
      yield* Effect.ignore(world.inAnother(Effect.flatMap(ConfigStore, (store) => store.locked(Effect.fail("no")))))
      assert.isFalse(world.disk.folderAt(directory).entries.has(".lock"))
    })
  )
})
