import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { filesOfBundle } from "../../src/domain/gatewayConfig/files.ts"
import type { ConfigStore } from "../../src/services/ConfigStore.ts"
import { type CrashKind, SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { Chance } from "../../src/testing/world/chance.ts"
import { bundleOf, installationOf } from "./support/bundles.ts"
import { directory, Machine } from "./support/machine.ts"

// Thousands of failures are made on purpose here; their stack traces would take most of the time.
Error.stackTraceLimit = 0

type Store = ConfigStore["Service"]

const install = (version: number) => (store: Store) => store.locked(store.install(installationOf(bundleOf(version))))
const setOf = (version: number): string =>
  Object.values(filesOfBundle(bundleOf(version)))
    .map((bytes) => new TextDecoder().decode(bytes))
    .join("\n")
const nothing = "(none)\n(none)\n(none)"

const writePlain = (machine: Machine, text: Record<string, string>): void => {
  machine.disk.makeFolder(directory, 0o755, true, 0)
  for (const [name, content] of Object.entries(text)) {
    const path = `${directory}/${name}`
    machine.disk.remove(path, false, true, 0)
    const file = machine.disk.createFile(path, 0o644, true, 0)
    machine.disk.write(path, file, 0, new TextEncoder().encode(content), 0)
    machine.disk.sync(path, file)
  }
  machine.disk.sync(directory, machine.disk.folderAt(directory))
  machine.disk.sync("/", machine.disk.root)
}

const withoutLinks = () => new SimulatedDisk({ fault: (operation) => (operation === "symlink" ? "EPERM" : undefined) })

interface Scenario {
  readonly name: string
  readonly disk?: () => SimulatedDisk
  readonly before: (machine: Machine) => Promise<unknown>
  readonly act: (store: Store) => Effect.Effect<unknown, unknown>
  /** What may be seen at any time; the second is what is seen in the end. */
  readonly sets: readonly [before: string, after: string]
  /** Whether a reader may see another set between the crash and the recovery (three renames are not one). */
  readonly journal?: boolean
}

const twoInstalled = async (machine: Machine) => {
  await machine.life(install(1))
  await machine.life(install(2))
}

const plain = { "openai.conf": "{a:1}", "models.conf": "{b:2}", "limits.conf": "{c:3}" }
const plainSet = Object.values(plain).join("\n")

const scenarios: ReadonlyArray<Scenario> = [
  { name: "first install", before: async () => {}, act: install(1), sets: [nothing, setOf(1)] },
  { name: "second install", before: (m) => m.life(install(1)), act: install(2), sets: [setOf(1), setOf(2)] },
  {
    name: "install over plain files",
    before: async (m) => writePlain(m, plain),
    act: install(1),
    sets: [plainSet, setOf(1)]
  },
  {
    name: "install over one plain file",
    before: async (m) => writePlain(m, { "models.conf": "{}" }),
    act: install(1),
    sets: ["(none)\n{}\n(none)", setOf(1)]
  },
  {
    name: "install over a set put there by hand",
    before: async (m) => {
      await twoInstalled(m)
      writePlain(m, plain)
    },
    act: install(3),
    sets: [plainSet, setOf(3)]
  },
  {
    name: "going back",
    before: twoInstalled,
    act: (store) => store.locked(store.revert(1)),
    sets: [setOf(2), setOf(1)]
  },
  {
    name: "without links: first install",
    disk: withoutLinks,
    before: async () => {},
    act: install(1),
    sets: [nothing, setOf(1)],
    journal: true
  },
  {
    name: "without links: install over plain files",
    disk: withoutLinks,
    before: async (m) => writePlain(m, plain),
    act: install(1),
    sets: [plainSet, setOf(1)],
    journal: true
  },
  {
    name: "without links: second install",
    disk: withoutLinks,
    before: (m) => m.life(install(1)),
    act: install(2),
    sets: [setOf(1), setOf(2)],
    journal: true
  },
  {
    name: "without links: going back",
    disk: withoutLinks,
    before: twoInstalled,
    act: (store) => store.locked(store.revert(1)),
    sets: [setOf(2), setOf(1)],
    journal: true
  }
]

const kinds: ReadonlyArray<CrashKind> = ["process", "loss", "reorder"]

describe("a crash at every change of an install leaves the old set or the new one", () => {
  let points = 0
  for (const scenario of scenarios) {
    it(scenario.name, async () => {
      for (const kind of kinds) {
        let reached = true
        for (let n = 1; reached; n++) {
          const machine = new Machine(scenario.disk?.())
          await scenario.before(machine)
          assert.strictEqual(machine.seen(), scenario.sets[0])
          const at = `${kind}, before change ${n}`
          reached = await machine.cutLife(n, scenario.act)
          const chance = new Chance(`change ${n}`)
          machine.crash(kind, () => chance.next())
          points += 1
          if (scenario.journal !== true) assert.include(scenario.sets, machine.seen(), `after ${at}`)
          await machine.life((store) => store.recover)
          assert.include(scenario.sets, machine.seen(), `recovered after ${at}`)
          assert.deepStrictEqual(machine.leftovers(), [], `recovered after ${at}`)
          if (!reached) assert.strictEqual(machine.seen(), scenario.sets[1])
          await machine.life(install(9))
          assert.strictEqual(machine.seen(), setOf(9), `installed after ${at}`)
          assert.deepStrictEqual(machine.leftovers(), [], `installed after ${at}`)
        }
      }
    })
  }
  it("was tried at every point", () => {
    assert.isAbove(points, 500)
  })
})

describe("install after crash after install", () => {
  // Beside every single crash point above these are a sample: CONFIG_CRASH_COMBINATIONS=10000 takes a minute.
  const combinations = Number(process.env.CONFIG_CRASH_COMBINATIONS ?? 3_000)
  it(`${combinations} seeded combinations`, { timeout: 600_000 }, async () => {
    const starts = await Promise.all(
      scenarios.map(async (scenario) => {
        const machine = new Machine(scenario.disk?.())
        await scenario.before(machine)
        return { disk: machine.disk, journal: scenario.journal === true, seen: machine.seen() }
      })
    )
    for (let seed = 1; seed <= combinations; seed++) {
      const chance = new Chance(`combination ${seed}`)
      const start = chance.pick(starts)
      const machine = new Machine(start.disk.fork())
      let sets = [start.seen]
      const check = (what: string) => assert.isTrue(sets.includes(machine.seen()), `seed ${seed}, ${what}`)
      const cuts = chance.yes(0.7) ? 1 : 2
      for (let version = 7; version < 7 + cuts; version++) {
        sets = [...sets, setOf(version)]
        const recoversFirst = chance.yes(0.5)
        await machine.cutLife(chance.int(1, 60), (store) =>
          !recoversFirst
            ? install(version)(store)
            : Effect.andThen(
                Effect.andThen(
                  store.recover,
                  Effect.sync(() => check("recovered"))
                ),
                install(version)(store)
              )
        )
        machine.crash(chance.pick(kinds), () => chance.next())
        if (!start.journal) check(`version ${version}`)
      }
      await machine.life((store) =>
        store.recover.pipe(Effect.andThen(Effect.sync(() => check("at last"))), Effect.andThen(install(99)(store)))
      )
      sets = [setOf(99)]
      check("installed")
      assert.deepStrictEqual(machine.leftovers(), [], `seed ${seed}`)
    }
  })
})
