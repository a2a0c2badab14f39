import { Effect, FileSystem, Layer } from "effect"
import { partOfFile } from "../domain/gatewayConfig/files.ts"
import { Gateway, GatewayError } from "../services/Gateway.ts"

/** A Models Gateway in memory: told to reload, it reads `limits.conf` and runs its version, unless a test says otherwise. */
export class SimulatedGateway {
  readonly directory: string
  /** Whether it reports its version, as with `GATEWAY_STATUS_URL`. */
  reportsVersion = false
  /** Whether its process is away. */
  down = false
  /** Versions it fails to load: it goes on with what it has. */
  readonly indigestible = new Set<number>()
  /** How often it was told. */
  reloads = 0
  running: number | undefined

  constructor(directory: string) {
    this.directory = directory
  }

  get layer(): Layer.Layer<Gateway, never, FileSystem.FileSystem> {
    return Layer.effect(
      Gateway,
      Effect.map(FileSystem.FileSystem, (fs) => {
        const load = Effect.map(fs.readFile(`${this.directory}/limits.conf`), (bytes) => {
          const version = partOfFile("limits.conf", bytes)?.version
          if (typeof version === "number" && !this.indigestible.has(version)) this.running = version
        })
        const { reportsVersion } = this
        const reachable = Effect.suspend(() =>
          this.down
            ? Effect.fail(new GatewayError({ reason: "NoProcess", problem: "the gateway is away" }))
            : Effect.void
        )
        return Gateway.of({
          configured: true,
          reportsVersion,
          reachable,
          reload: Effect.andThen(
            reachable,
            Effect.suspend(() => {
              this.reloads += 1
              return Effect.ignore(load)
            })
          ),
          runningVersion: Effect.sync(() => (reportsVersion ? this.running : undefined))
        })
      })
    )
  }
}
