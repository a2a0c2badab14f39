import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { TestClock, TestConsole } from "effect/testing"
import { configCommand } from "../../src/cli/configCommands.ts"
import { bundleOf, canary } from "./support/bundles.ts"
import { running, World } from "./support/world.ts"

/** Runs `config …` as a process of its own; what it printed, or what its failure says. */
const config = (world: World, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const before = (yield* TestConsole.logLines).length
    const exit = yield* Effect.exit(
      world.inAnother(Effect.provide(Command.runWith(configCommand, { version: "1" })(args), NodeServices.layer))
    )
    const printed = (yield* TestConsole.logLines).slice(before).join("\n")
    return exit._tag === "Success" ? printed : `failed: ${exit.cause} ${printed}`
  })

describe("config commands", () => {
  it.effect("show what is installed, without a key's value", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* running(world)
      const text = yield* config(world, "show")
      assert.match(text, /version +42/)
      assert.match(text, /keys +primary/)
      assert.match(text, /drift +none/)
      const json = yield* config(world, "show", "--json")
      assert.strictEqual(JSON.parse(json).version, 42)
      assert.strictEqual(JSON.parse(json).reload_pending, false)
      assert.notInclude(text + json, canary)
    })
  )

  it.effect("show no key that was given as an id, and nothing of an id that steers the terminal", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* world.start()
      const steering = "\u001b[2J\u202e\n* generation 9"
      for (const version of [1, 2]) {
        const keys = [
          { id: canary, key: canary },
          { id: `sk-other-${canary.slice(3)}`, key: "another" },
          { id: "plain words", key: "plain words" },
          { id: steering, key: `key of version ${version}`, note: version }
        ]
        world.api.serve(bundleOf(version, { openai_keys: keys.slice(0, 2 + version) }))
        yield* sync.tick
        yield* TestClock.adjust("1 minute")
      }
      for (const command of [["show"], ["show", "--json"], ["diff"], ["diff", "--json"], ["history"]]) {
        const text = yield* config(world, ...command)
        assert.notInclude(text, "canary")
        assert.notInclude(text, "plain words")
        for (const line of text.split("\n")) assert.match(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
        assert.notMatch(text, /^\* generation 9/m)
      }
      assert.match(
        yield* config(world, "show"),
        /keys +\[redacted\], \[redacted\], \[redacted\], \\u001b\[2J\\u202e\\n/
      )
    })
  )

  it.effect("show an empty folder", () =>
    Effect.gen(function* () {
      const world = new World()
      world.disk.makeFolder("/config", 0o755, true, 0)
      assert.match(yield* config(world, "show"), /none installed/)
      assert.match(yield* config(world, "history"), /nothing is installed/)
      assert.match(yield* config(world, "rollback"), /no earlier generation/)
    })
  )

  it.effect("make no folder where there is none, and say so where one is needed", () =>
    Effect.gen(function* () {
      const world = new World()
      for (const args of [
        ["show"],
        ["history"],
        ["diff"],
        ["rollback"],
        ["hold"],
        ["accept", "3"],
        ["hold", "--off"]
      ]) {
        const said = yield* config(world, ...args)
        assert.isUndefined(world.disk.resolve("/config", true).node, args.join(" "))
        if (args[0] === "rollback" || args[0] === "hold" || args[0] === "accept") {
          assert.match(said, /^failed.*CONFIG_DIR: there is no folder \/config/, args.join(" "))
        }
      }
    })
  )

  it.effect("list the last three generations and compare them", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running(world)
      world.api.serve(bundleOf(43))
      yield* sync.tick
      const rows = JSON.parse(yield* config(world, "history", "--json"))
      assert.deepStrictEqual(
        rows.map((row: { version: number; current: boolean }) => [row.version, row.current]),
        [
          [43, true],
          [42, false],
          [41, false]
        ]
      )
      const text = yield* config(world, "diff")
      assert.include(text, "version 42 → 43")
      assert.include(text, "~ model_configs.gpt-4o.costs.input: 21 → 21.5")
      assert.include(yield* config(world, "diff", "2"), "version 41 → 43")
      assert.include(yield* config(world, "diff", "9"), "generation 9 is not kept")
      assert.notInclude(text, canary)
      world.api.serve(bundleOf(41))
      assert.include(yield* config(world, "diff", "--offered"), "version 43 → 41")
    })
  )

  it.effect("rollback goes back a generation, tells the gateway, and keeps the newer version out", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running(world)
      assert.include(yield* config(world, "rollback"), "version 42 → 41")
      assert.deepStrictEqual(world.versions(), [41, 41, 41])
      assert.strictEqual(world.gateway.reloads, 4)
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.deepStrictEqual(world.versions(), [41, 41, 41], "the next tick does not undo it")
      assert.strictEqual(yield* (yield* world.start()).tick, "unchanged")
      assert.deepStrictEqual(world.versions(), [41, 41, 41], "nor does a restart")
      assert.strictEqual(world.gateway.reloads, 4)
      const again = yield* config(world, "rollback")
      assert.include(again, "version 41 → 40")
      assert.include(again, "versions up to 42 stay out")
      assert.strictEqual(yield* sync.tick, "unchanged")
      world.api.serve(bundleOf(41))
      assert.strictEqual(yield* sync.tick, "unchanged", "41 was left too")
      world.api.serve(bundleOf(43))
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [43, 43, 43])
      assert.match(yield* config(world, "show"), /kept out +nothing/)
    })
  )

  it.effect("diff after a rollback compares with what it left; the history keeps that, with when and why", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running(world)
      yield* config(world, "rollback")
      assert.include(yield* config(world, "diff"), "version 42 → 41")
      yield* TestClock.adjust("1 minute")
      yield* config(world, "rollback")
      assert.include(
        yield* config(world, "diff"),
        "version 41 → 40",
        "nothing is before 40, and yet there was something"
      )
      world.api.serve(bundleOf(43))
      yield* sync.tick
      assert.include(yield* config(world, "diff"), "version 40 → 43")
      const text = (yield* config(world, "history")).split("\n")
      assert.deepStrictEqual(text, [
        "* generation 4  version 43  1970-01-01T00:04:00.000Z  install",
        "  generation 3  version 42  1970-01-01T00:02:00.000Z  no longer kept, left 1970-01-01T00:03:00.000Z (rollback)",
        "  generation 2  version 41  1970-01-01T00:01:00.000Z  no longer kept, left 1970-01-01T00:04:00.000Z (rollback)",
        "  generation 1  version 40  1970-01-01T00:00:00.000Z  install"
      ])
      const rows = JSON.parse(yield* config(world, "history", "--json"))
      assert.deepStrictEqual(
        rows.map((row: { kept: boolean; left_by: string | null }) => [row.kept, row.left_by]),
        [
          [true, null],
          [false, "rollback"],
          [false, "rollback"],
          [true, null]
        ]
      )
    })
  )

  it.effect("rollback then accept brings the version back", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running(world)
      yield* config(world, "rollback")
      yield* config(world, "accept", "42")
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [42, 42, 42])
    })
  )

  it.effect("rollback repairs an older generation that was edited", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running(world)
      world.edit("generations/2/limits.conf", () => "{}", 1)
      yield* config(world, "rollback")
      assert.deepStrictEqual(world.versions(), [41, 41, 41])
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.include(yield* config(world, "rollback"), "version 41 → 40", "the next goes further back, not forward")
      assert.deepStrictEqual(world.versions(), [40, 40, 40])
    })
  )

  it.effect("rollback goes back to the files found at first", () =>
    Effect.gen(function* () {
      const world = new World()
      world.disk.makeFolder("/config", 0o755, true, 0)
      const old = bundleOf(7)
      for (const [name, list] of [
        ["openai.conf", "openai_keys"],
        ["models.conf", "model_configs"],
        ["limits.conf", "rate_limits"]
      ] as const) {
        const file = world.disk.createFile(`/config/${name}`, 0o640, true, 0)
        world.disk.write(name, file, 0, new TextEncoder().encode(JSON.stringify({ version: 7, [list]: old[list] })), 0)
      }
      world.api.serve(bundleOf(42))
      const sync = yield* world.start()
      assert.strictEqual(yield* sync.tick, "changed")
      assert.include(world.logged("config.changed")[0]?.text, "0 → 42")
      assert.match(yield* config(world, "history"), /generation 0 {2}version 7 .* adopted/)
      assert.include(yield* config(world, "rollback"), "version 42 → 7 (generation 0)")
      assert.deepStrictEqual(world.versions(), [7, 7, 7])
      assert.strictEqual(world.disk.fileAt("/config/models.conf").mode & 0o777, 0o640)
      assert.strictEqual(yield* sync.tick, "unchanged")
    })
  )

  it.effect("hold suspends installs and repairs, for a while or until released", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running(world)
      assert.include(yield* config(world, "hold", "30 minutes"), "until 1970-01-01T00:33:00.000Z")
      world.api.serve(bundleOf(43))
      world.edit("limits.conf", (text) => text.replace("600", "100"), 1)
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.include(world.text("limits.conf"), "100")
      const status = yield* sync.status
      assert.strictEqual(status.status, "degraded")
      assert.include(status.problems.join(), "config hold --off")
      yield* TestClock.adjust("29 minutes")
      assert.strictEqual(yield* sync.tick, "unchanged")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [43, 43, 43])

      assert.include(yield* config(world, "hold"), "until released")
      world.api.serve(bundleOf(44))
      yield* TestClock.adjust("100 days")
      assert.strictEqual(yield* sync.tick, "unchanged")
      yield* config(world, "hold", "--off")
      assert.strictEqual(yield* sync.tick, "changed")
    })
  )

  it.effect("refuse what is no duration and no version", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* running(world)
      for (const args of [
        ["hold", "soon"],
        ["hold", "0 seconds"],
        ["hold", "Infinity"],
        ["hold", "30", "minutes"],
        ["accept", "0"],
        ["accept"],
        ["accept", "x"]
      ]) {
        assert.match(yield* config(world, ...args), /^failed/, args.join(" "))
      }
      assert.strictEqual(JSON.parse(yield* config(world, "show", "--json")).held, false)
      const unquoted = (yield* TestConsole.errorLines).filter((line) => String(line).includes('"30"'))
      assert.lengthOf(unquoted, 1)
      assert.include(String(unquoted[0]), 'such as 30m, 2h or "30 minutes" (in quotes)')
    })
  )
})
