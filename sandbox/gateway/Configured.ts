import { Clock, Context, Effect, FileSystem, Layer, Option, Path, Queue } from "effect"
import { type GatewayConfiguration, loadConfiguration } from "./configuration.ts"

/** What the gateway runs at present. */
export interface Running {
  readonly configuration: GatewayConfiguration | undefined
  readonly reloads: number
  readonly reloadedAt: number | undefined
  /** Why the last reload changed nothing, if it did not. */
  readonly problem: string | undefined
}

export interface ConfiguredOptions {
  readonly directory: string
  readonly pidFile: Option.Option<string>
  readonly statusFile: Option.Option<string>
}

/**
 * The running configuration: loaded at start, again at every SIGHUP. Requests under way keep the one they began with; a
 * load that fails leaves the running one in place.
 */
export class Configured extends Context.Service<Configured, { readonly running: () => Running }>()(
  "sandbox/gateway/Configured"
) {
  static readonly layer = (options: ConfiguredOptions) =>
    Layer.effect(
      Configured,
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        let running: Running = { configuration: undefined, reloads: -1, reloadedAt: undefined, problem: undefined }

        /** Whole or not at all: a reader never sees half a file. */
        const write = Effect.fnUntraced(function* (file: string, text: string) {
          const temp = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`)
          yield* fs.writeFileString(temp, text)
          yield* fs.rename(temp, file)
        })

        /** Says in the status file which version runs; a gateway that cannot say so serves all the same. */
        const report = Effect.fnUntraced(function* (version: number) {
          if (Option.isNone(options.statusFile)) return
          yield* write(options.statusFile.value, `${JSON.stringify({ version })}\n`).pipe(
            Effect.catch((error) => Effect.logWarning("The status file was not written", error.message))
          )
        })

        /** A load counts as a reload once it is done: the version runs, and the status file says so. */
        const load = Effect.gen(function* () {
          const loaded = yield* Effect.result(loadConfiguration(options.directory))
          if (loaded._tag === "Failure") {
            running = { ...running, problem: loaded.failure.message }
            yield* Effect.logWarning("The configuration was not loaded", loaded.failure.message)
          } else {
            const configuration = loaded.success
            running = { ...running, configuration, reloadedAt: yield* Clock.currentTimeMillis, problem: undefined }
            yield* report(configuration.version)
            yield* Effect.logInfo("Runs configuration", { version: configuration.version })
          }
          running = { ...running, reloads: running.reloads + 1 }
        }).pipe(Effect.provideService(FileSystem.FileSystem, fs), Effect.provideService(Path.Path, path))

        const signals = yield* Queue.sliding<void>(1)
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const listener = () => Queue.offerUnsafe(signals, undefined)
            process.on("SIGHUP", listener)
            return listener
          }),
          (listener) => Effect.sync(() => process.off("SIGHUP", listener))
        )
        yield* load
        yield* Queue.take(signals).pipe(Effect.andThen(load), Effect.forever, Effect.forkScoped)

        // Only now may a signal come: it is handled.
        if (Option.isSome(options.pidFile)) {
          const file = options.pidFile.value
          yield* Effect.acquireRelease(write(file, `${process.pid}\n`), () => Effect.ignore(fs.remove(file)))
        }
        return Configured.of({ running: () => running })
      })
    )
}
