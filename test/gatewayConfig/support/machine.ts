import { Clock, Duration, Effect, type FileSystem, Layer } from "effect"
import { fileNames } from "../../../src/domain/gatewayConfig/files.ts"
import { layer as storeLayer } from "../../../src/layers/gatewayConfig/FileConfigStore.ts"
import { ConfigStore, type ConfigStoreError } from "../../../src/services/ConfigStore.ts"
import * as MemoryFileSystem from "../../../src/testing/MemoryFileSystem.ts"
import { type CrashKind, SimulatedDisk } from "../../../src/testing/SimulatedDisk.ts"
import { SimulatedProcesses } from "../../../src/testing/SimulatedProcesses.ts"

export const directory = "/config"

/** A clock on which every sleep is over at once and takes its time. */
export const skippingClock = (): Clock.Clock => {
  let now = 1_700_000_000_000
  const nanos = () => BigInt(now) * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    // A heartbeat must not run the clock away while another fiber works.
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis >= 5_000) return Effect.never
      return Effect.sync(() => {
        now += millis
      })
    }
  }
}

/** A machine with a simulated disk that is stopped and started again; each life is a new process and a new store. */
export class Machine {
  readonly disk: SimulatedDisk
  private lives = 0
  private boots = 0
  private readonly clock = skippingClock()

  constructor(disk = new SimulatedDisk()) {
    this.disk = disk
  }

  /** Runs one life. */
  life<A, E>(use: (store: ConfigStore["Service"]) => Effect.Effect<A, E, FileSystem.FileSystem>): Promise<A> {
    this.lives += 1
    const processes = new SimulatedProcesses({ bootId: `boot-${this.boots}`, startTime: `${this.lives}` })
    const platform = Layer.merge(MemoryFileSystem.layerDisk(this.disk), processes.layer)
    return Effect.runPromise(
      Effect.flatMap(ConfigStore, use).pipe(
        Effect.provide(storeLayer({ directory }).pipe(Layer.provideMerge(platform))),
        Effect.provideService(Clock.Clock, this.clock)
      ) as Effect.Effect<A, E | ConfigStoreError>
    )
  }

  /** Runs one life that stops before its nth change; true if it got that far. */
  async cutLife(
    n: number,
    use: (store: ConfigStore["Service"]) => Effect.Effect<unknown, unknown, FileSystem.FileSystem>
  ): Promise<boolean> {
    this.disk.stopBefore = this.disk.operations + n
    const cut = this.disk.stopBefore
    await this.life((store) => Effect.exit(use(store)))
    return this.disk.operations >= cut
  }

  crash(kind: CrashKind, random?: () => number): void {
    if (kind !== "process") this.boots += 1
    this.disk.crash(kind, random)
  }

  /** What a reader of the three stable names finds. */
  seen(): string {
    return fileNames
      .map((name) => {
        try {
          return new TextDecoder().decode(this.disk.fileAt(`${directory}/${name}`).data)
        } catch {
          return "(none)"
        }
      })
      .join("\n")
  }

  /** Names in the folder that no install leaves behind. */
  leftovers(): ReadonlyArray<string> {
    const names =
      this.disk.resolve(directory, true).node === undefined ? [] : [...this.disk.folderAt(directory).entries.keys()]
    return names.filter((name) => name.endsWith(".tmp") || name === ".lock")
  }
}
