/** A process that installs one version after the other until it is killed. Argument: the folder. Input: `go <version>`. */
import { createInterface } from "node:readline"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer } from "effect"
import { layer as storeLayer } from "../../../src/layers/gatewayConfig/FileConfigStore.ts"
import { layer as processesLayer } from "../../../src/layers/node/NodeProcesses.ts"
import { ConfigStore } from "../../../src/services/ConfigStore.ts"
import { bundleOf, installationOf } from "./bundles.ts"

const directory = process.argv[2] ?? ""

const installFrom = (first: number) =>
  Effect.gen(function* () {
    const store = yield* ConfigStore
    yield* store.recover
    for (let version = first; ; version++) {
      yield* store.locked(store.install(installationOf(bundleOf(version))))
      process.stdout.write(`${version}\n`)
    }
  })

const platform = processesLayer.pipe(Layer.provideMerge(NodeFileSystem.layer))
const started = storeLayer({ directory }).pipe(Layer.provide(platform))

createInterface({ input: process.stdin }).once("line", (line) => {
  Effect.runPromise(Effect.provide(installFrom(Number(line.slice(3))), started)).catch((cause: unknown) => {
    console.error(cause)
    process.exit(1)
  })
})
process.stdout.write("ready\n")
