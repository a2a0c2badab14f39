import { Cause, Duration, Effect, type FileSystem, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import type { Bundle } from "../../../src/domain/gatewayConfig/bundle.ts"
import { fileNames } from "../../../src/domain/gatewayConfig/files.ts"
import { layer as storeLayer } from "../../../src/layers/gatewayConfig/FileConfigStore.ts"
import { type ConfigSync, make } from "../../../src/programs/gatewayConfig/configSync.ts"
import { ConfigAudit, type ConfigChange } from "../../../src/services/ConfigAudit.ts"
import type { ConfigStore } from "../../../src/services/ConfigStore.ts"
import { Gateway } from "../../../src/services/Gateway.ts"
import { type ConfigurationsAnswer, JobsApi, JobsApiError } from "../../../src/services/JobsApi.ts"
import type { ProcessFacts } from "../../../src/services/Processes.ts"
import * as MemoryFileSystem from "../../../src/testing/MemoryFileSystem.ts"
import { SimulatedDisk } from "../../../src/testing/SimulatedDisk.ts"
import { SimulatedGateway } from "../../../src/testing/SimulatedGateway.ts"
import { SimulatedProcesses } from "../../../src/testing/SimulatedProcesses.ts"
import { bodyOf, bundleOf } from "./bundles.ts"
import { directory } from "./machine.ts"

/** One line that was logged: level, message and annotations as one text. */
export interface Line {
  readonly level: string
  readonly message: string
  readonly text: string
}

/** The jobs API of a test: it answers with what the test put there, by ETag where the test says so. */
class StubApi {
  /** How often it was asked. */
  count = 0
  /** The first hundred ETags asked with, in order. */
  readonly asked: Array<string | undefined> = []
  answer: (etag: string | undefined) => Effect.Effect<ConfigurationsAnswer, JobsApiError> = () =>
    Effect.fail(new JobsApiError({ errorCode: "NETWORK", errorMessage: "ECONNREFUSED" }))

  /** Serves a bundle under an ETag made of its version and a tag. */
  serve(bundle: unknown, tag = "", contentDigest?: string): void {
    const body = bodyOf(bundle)
    const etag = `"${(bundle as Bundle).version}${tag}"`
    this.answer = (known) =>
      Effect.succeed(known === etag ? { _tag: "NotModified" } : { _tag: "Fetched", body, etag, contentDigest })
  }

  serveBytes(body: Uint8Array): void {
    this.answer = () => Effect.succeed({ _tag: "Fetched", body, etag: undefined, contentDigest: undefined })
  }

  fail(errorCode: string): void {
    this.answer = () => Effect.fail(new JobsApiError({ errorCode, errorMessage: "no answer" }))
  }

  readonly layer = Layer.succeed(
    JobsApi,
    JobsApi.of({
      deliver: () => Effect.die("not used"),
      configurations: (etag) =>
        Effect.suspend(() => {
          this.count += 1
          if (this.count <= 100) this.asked.push(etag)
          return this.answer(etag)
        })
    })
  )
}

export interface WorldOptions {
  readonly drift?: "repair" | "report"
  readonly noGateway?: boolean
  readonly reportsVersion?: boolean
  readonly fileGroup?: string
  /** Logs nothing, which makes a year short. */
  readonly quiet?: boolean
}

/** A disk, an API, a gateway and a log that outlive the processes a test starts on them. */
export class World {
  readonly disk = new SimulatedDisk()
  readonly api = new StubApi()
  readonly gateway = new SimulatedGateway(directory)
  readonly lines: Array<Line> = []
  /** What was noted for the audit. */
  readonly changes: Array<ConfigChange> = []
  private readonly options: WorldOptions
  private readonly living = new Map<number, ProcessFacts>()
  private lives = 0

  constructor(options: WorldOptions = {}) {
    this.options = options
    this.gateway.reportsVersion = options.reportsVersion ?? false
  }

  private readonly logger = Logger.make<unknown, void>(({ cause, fiber, logLevel, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    const words = Array.isArray(message) ? message : [message]
    this.lines.push({
      level: logLevel,
      message: String(words[0]),
      text: `${logLevel} ${words.map(String).join(" ")} ${JSON.stringify(annotations)} ${cause.reasons.length > 0 ? Cause.pretty(cause) : ""}`
    })
  })

  get platform(): Layer.Layer<ConfigStore | Gateway | JobsApi | FileSystem.FileSystem> {
    this.lives += 1
    const self = { pid: 100 + this.lives, startTime: `${this.lives}` }
    const processes = new SimulatedProcesses(self, this.living)
    const disk = MemoryFileSystem.layerDisk(this.disk)
    const { fileGroup } = this.options
    return Layer.mergeAll(
      storeLayer({ directory, fileGroup }),
      this.options.noGateway === true ? Layer.succeed(Gateway, Gateway.none) : this.gateway.layer
    ).pipe(
      Layer.provideMerge(disk),
      Layer.provide(processes.layer),
      Layer.merge(this.api.layer),
      Layer.merge(Layer.succeed(ConfigAudit, (change) => Effect.sync(() => void this.changes.push(change))))
    )
  }

  /** Where this world's log goes. */
  get logs(): Layer.Layer<never> {
    return Layer.merge(Logger.layer([this.logger]), Layer.succeed(References.MinimumLogLevel, "Debug"))
  }

  /** Starts a process with configuration sync in it. */
  start(): Effect.Effect<ConfigSync> {
    return make({ interval: Duration.minutes(1), drift: this.options.drift ?? "repair" }).pipe(
      Effect.map((sync) =>
        this.options.quiet === true
          ? sync
          : {
              run: Effect.provide(sync.run, this.logs),
              tick: Effect.provide(sync.tick, this.logs),
              status: sync.status
            }
      ),
      Effect.provide(this.platform)
    )
  }

  /** Runs an effect in another process on the same disk. */
  inAnother<A, E>(
    use: Effect.Effect<A, E, ConfigStore | Gateway | JobsApi | FileSystem.FileSystem>
  ): Effect.Effect<A, E> {
    return Effect.provide(use, this.platform)
  }

  /** What stands in a file, through links. */
  text(name: string): string {
    return new TextDecoder().decode(this.disk.fileAt(`${directory}/${name}`).data)
  }

  /** Edits a file in place, through links, as an operator with an editor would. */
  edit(name: string, change: (text: string) => string, now: number): void {
    const node = this.disk.fileAt(`${directory}/${name}`)
    const bytes = new TextEncoder().encode(change(this.text(name)))
    this.disk.truncate(name, node, 0, now)
    this.disk.write(name, node, 0, bytes, now)
  }

  /** The versions of the three files. */
  versions(): ReadonlyArray<unknown> {
    return fileNames.map((name) => {
      try {
        return JSON.parse(this.text(name)).version
      } catch {
        return undefined
      }
    })
  }

  /** Every logged line of a message. */
  logged(message: string): ReadonlyArray<Line> {
    return this.lines.filter((line) => line.message === message)
  }
}

/** A process that has installed versions 40, 41 and 42, one a minute. */
export const running = (world: World) =>
  Effect.gen(function* () {
    const sync = yield* world.start()
    for (const version of [40, 41, 42]) {
      world.api.serve(bundleOf(version))
      yield* sync.tick
      yield* TestClock.adjust("1 minute")
    }
    return sync
  })
