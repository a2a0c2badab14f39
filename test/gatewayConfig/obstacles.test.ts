import { execFileSync } from "node:child_process"
import { lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { layer as storeLayer } from "../../src/layers/gatewayConfig/FileConfigStore.ts"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import { bundleOf, installationOf } from "./support/bundles.ts"

type Use<A, E> = (store: ConfigStore["Service"], directory: string) => Effect.Effect<A, E>

/** A folder of the real file system with version 1 installed. */
const withStore = <A, E>(use: Use<A, E>) =>
  Effect.gen(function* () {
    const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "job-collector-config-" })
    return yield* Effect.gen(function* () {
      const store = yield* ConfigStore
      yield* store.locked(store.install(installationOf(bundleOf(1))))
      return yield* use(store, directory)
    }).pipe(Effect.provide(storeLayer({ directory })))
  }).pipe(Effect.provide(NodeFileSystem.layer))

/** The same with something else put in a name's place. */
const withObstacle = <A, E>(name: string, obstruct: (path: string) => void, use: Use<A, E>) =>
  withStore((store, directory) => {
    rmSync(join(directory, name))
    obstruct(join(directory, name))
    return use(store, directory)
  })

const versionIn = (directory: string) => JSON.parse(readFileSync(join(directory, "limits.conf"), "utf8")).version

const pipe = (path: string) => void execFileSync("mkfifo", [path])
const fullFolder = (path: string) => {
  mkdirSync(path)
  writeFileSync(join(path, "mine"), "")
}

describe("something else in the place of a file", () => {
  const surmounted: ReadonlyArray<readonly [what: string, name: string, (path: string) => void]> = [
    ["a pipe, which nobody would ever finish reading", "limits.conf", pipe],
    ["a pipe for the link to the generation", "current", pipe],
    [
      "an empty folder, as a container's start makes of a file that is missing",
      "limits.conf",
      (path) => mkdirSync(path)
    ],
    ["an empty folder for the link to the generation", "current", (path) => mkdirSync(path)]
  ]
  for (const [what, name, obstruct] of surmounted) {
    it.effect(`${what}: seen as drift, replaced by the next install`, () =>
      withObstacle(name, obstruct, (store, directory) =>
        Effect.gen(function* () {
          yield* store.locked(store.update((state) => ({ ...state, settled: { generation: 1, at: 0 } })))
          assert.include((yield* store.read).drift.join(), `${name}: removed`)
          yield* store.locked(store.install(installationOf(bundleOf(2))))
          assert.strictEqual(versionIn(directory), 2)
          assert.match(readlinkSync(join(directory, name)), /^(current\/limits\.conf|generations\/\d)$/)
          assert.deepStrictEqual((yield* store.read).drift, [])
        })
      )
    )
  }

  for (const name of ["limits.conf", "current"]) {
    it.effect(`a folder with something in it for ${name} is left alone, and the error says what to do`, () =>
      withObstacle(name, fullFolder, (store, directory) =>
        Effect.gen(function* () {
          yield* store.read
          const error = yield* Effect.flip(store.locked(store.install(installationOf(bundleOf(2)))))
          assert.strictEqual(error.reason, "Busy")
          assert.match(
            error.problem,
            new RegExp(`${name}.*a folder that is not empty stands in its place: move it away`)
          )
          assert.isTrue(lstatSync(join(directory, name, "mine")).isFile())
          rmSync(join(directory, name), { recursive: true })
          yield* store.locked(store.install(installationOf(bundleOf(2))))
          assert.strictEqual(versionIn(directory), 2)
        })
      )
    )
  }
})

describe("a generation's number", () => {
  it.effect("is given out once: a reader in a folder that was left sees no other version there", () =>
    withStore((store, directory) =>
      Effect.gen(function* () {
        const current = () => readlinkSync(join(directory, "current"))
        const first = Number(current().split("/")[1])
        for (const version of [2, 3]) yield* store.locked(store.install(installationOf(bundleOf(version))))
        const left = current()
        // What the gateway runs is kept beside what can be gone back to, so that the highest go one by one.
        yield* store.locked(store.update((state) => ({ ...state, settled: { generation: first, at: 0 } })))
        for (const generation of [first + 1, first]) {
          yield* store.locked(store.revert(generation))
          yield* store.recover
        }
        assert.throws(() => lstatSync(join(directory, left)))
        yield* store.locked(store.install(installationOf(bundleOf(4))))
        assert.deepStrictEqual([left, current()], [`generations/${first + 2}`, `generations/${first + 3}`])
      })
    )
  )
})
