import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { fileNames } from "../../src/domain/gatewayConfig/files.ts"
import { bundleOf, canary } from "./support/bundles.ts"
import { directory } from "./support/machine.ts"
import { running, World } from "./support/world.ts"

/** Replaces a name by a plain file, as editors that save by renaming do. */
const replace = (world: World, name: string, text: string, now: number) => {
  const path = `${directory}/${name}`
  world.disk.remove(path, false, true, now)
  const file = world.disk.createFile(path, 0o644, true, now)
  world.disk.write(path, file, 0, new TextEncoder().encode(text), now)
}

const cases: ReadonlyArray<readonly [name: string, seen: string, drift: (world: World, now: number) => void]> = [
  [
    "an edit in place",
    "~ rate_limits.gpt-4o.requests_per_minute: 600 → 100",
    (world, now) => world.edit("limits.conf", (text) => text.replace("600", "100"), now)
  ],
  [
    "an edit of a key",
    "~ openai_keys.primary.key: [redacted] → [redacted]",
    (world, now) => world.edit("openai.conf", (text) => text.replace("canary", "canarz"), now)
  ],
  [
    "an edit that is no JSON any more",
    "models.conf: edited",
    (world, now) => world.edit("models.conf", (text) => text.slice(1), now)
  ],
  ["a file emptied", "limits.conf: edited", (world, now) => world.edit("limits.conf", () => "", now)],
  [
    "an edit of no parameter",
    "limits.conf: edited",
    (world, now) => world.edit("limits.conf", (text) => `${text}\n`, now)
  ],
  [
    "a file saved by renaming",
    "~ rate_limits.gpt-4o.requests_per_minute: 600 → 7",
    (world, now) => replace(world, "limits.conf", world.text("limits.conf").replace("600", "7"), now)
  ],
  [
    "a link replaced by a copy",
    "limits.conf: no longer a link to current/limits.conf",
    (world, now) => replace(world, "limits.conf", world.text("limits.conf"), now)
  ],
  [
    "a link removed",
    "models.conf: removed",
    (world, now) => world.disk.remove(`${directory}/models.conf`, false, false, now)
  ],
  [
    "all links removed",
    "openai.conf: removed",
    (world, now) => {
      for (const name of fileNames) world.disk.remove(`${directory}/${name}`, false, false, now)
    }
  ],
  [
    "a file removed",
    "openai.conf: removed",
    (world, now) => world.disk.remove(`${directory}/current/openai.conf`, false, false, now)
  ],
  [
    "current removed",
    "current: removed or replaced",
    (world, now) => world.disk.remove(`${directory}/current`, false, false, now)
  ],
  [
    "keys opened to everybody",
    "openai.conf: mode 0644 instead of 0600",
    (world) => world.disk.setMeta("chmod", `${directory}/openai.conf`, { mode: 0o644 })
  ],
  [
    "a generation closed to readers",
    "mode 0700 instead of 0755",
    (world) => world.disk.setMeta("chmod", `${directory}/current`, { mode: 0o700 })
  ],
  [
    "an older set put there by hand",
    "limits.conf: of another version",
    (world, now) => {
      for (const name of fileNames) {
        replace(
          world,
          name,
          new TextDecoder().decode(world.disk.fileAt(`${directory}/generations/2/${name}`).data),
          now
        )
      }
    }
  ]
]

describe("drift", () => {
  for (const [name, seen, drift] of cases) {
    it.effect(`${name} is repaired at the next tick with a fresh generation, and the gateway told`, () =>
      Effect.gen(function* () {
        const world = new World()
        const sync = yield* running(world)
        yield* sync.tick
        drift(world, yield* TestClock.testClockWith((clock) => clock.currentTimeMillis))
        assert.strictEqual(yield* sync.tick, "changed")
        assert.deepStrictEqual(world.versions(), [42, 42, 42])
        assert.strictEqual(world.text("openai.conf").includes(`${canary}-v42`), true)
        const repairs = world.logged("config.repaired")
        assert.strictEqual(repairs.length, 1)
        assert.include(repairs[0]?.text.replaceAll("\\", ""), seen)
        assert.notInclude(world.lines.map(({ text }) => text).join(), canary)
        assert.strictEqual(world.gateway.reloads, 4)
        assert.strictEqual(world.api.asked.at(-1), undefined, "the ETag is dropped")
        assert.strictEqual(yield* sync.tick, "unchanged")
        const kept = [...world.disk.folderAt(`${directory}/generations`).entries.keys()]
        assert.strictEqual(kept.length, 3, `kept: ${kept}`)
        assert.strictEqual(yield* (yield* world.start()).tick, "unchanged")
        assert.strictEqual(world.logged("config.repaired").length, 1)
      })
    )
  }

  it.effect("is repaired while the API is away", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running(world)
      world.edit("limits.conf", (text) => text.replace("600", "100"), 1)
      world.api.fail("NETWORK")
      assert.strictEqual(yield* sync.tick, "failed")
      assert.include(world.text("limits.conf"), "600")
    })
  )

  it.effect("is only reported where so asked, once, and a new version replaces it", () =>
    Effect.gen(function* () {
      const world = new World({ drift: "report" })
      const sync = yield* running(world)
      world.edit("limits.conf", (text) => text.replace("600", "100"), 1)
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.include(world.text("limits.conf"), "100")
      assert.strictEqual(world.logged("config.drifted").length, 1)
      assert.strictEqual((yield* sync.status).status, "degraded")
      world.api.serve(bundleOf(43))
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [43, 43, 43])
      assert.strictEqual((yield* sync.status).status, "ok")
    })
  )

  it.effect("of a record that is gone is repaired from the API", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* running(world)
      world.disk.remove(`${directory}/current/generation.json`, false, false, 1)
      world.edit("limits.conf", (text) => text.replace("600", "100"), 1)
      const sync = yield* world.start()
      assert.strictEqual(yield* sync.tick, "changed")
      assert.include(world.text("limits.conf"), "600")
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.deepStrictEqual(world.versions(), [42, 42, 42])
    })
  )
})
