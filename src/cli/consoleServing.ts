/** The console's listener, as `console` and `run` have it: its tokens follow their files. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, type FileSystem, Layer, Redacted, Result, Schema } from "effect"
import { HttpServer } from "effect/http"
import { Access } from "../console/access.ts"
import * as OperatorConsole from "../console/console.ts"
import { FailedTries } from "../console/failedTries.ts"
import type { KnownStreams } from "../domain/options/knownStreams.ts"
import { type NamedToken, namedTokens } from "../domain/options/namedTokens.ts"
import * as FileConfigStore from "../layers/gatewayConfig/FileConfigStore.ts"
import { createPatientServer } from "../layers/http/PatientServer.ts"
import * as Environment from "../layers/settings/Environment.ts"
import { followSecret } from "../layers/settings/FollowSecret.ts"
import { ConfigStore } from "../services/ConfigStore.ts"
import { EventStreams } from "../services/EventStreams.ts"
import { hurry } from "./followSecrets.ts"

type Settings = Environment.Value<typeof Environment.operatorConsole>

type Secret = Redacted.Redacted<string>

/** The console cannot be served. */
export class ConsoleCannotListen extends Schema.TaggedError<ConsoleCannotListen>()("ConsoleCannotListen", {
  problem: Schema.String
}) {
  override get message(): string {
    return `CONSOLE_HOST, CONSOLE_PORT: ${this.problem}; choose another address, or port 0 for any free one`
  }
}

const tokensIn = (secret: Secret | undefined): ReadonlyArray<NamedToken> =>
  secret === undefined ? [] : Result.getOrElse(namedTokens(Redacted.value(secret)), () => [])

/** Who may come in, by what the files hold at the time. */
const accessFollowing = Effect.fnUntraced(function* ({ actTokens, readTokens }: Settings) {
  let read = tokensIn(readTokens)
  let act = tokensIn(actTokens)
  const access = new Access({ read, act })
  const follow = (
    variable: string,
    file: Environment.Setting<Secret | undefined, FileSystem.FileSystem>,
    present: Secret | undefined,
    take: (tokens: ReadonlyArray<NamedToken>) => void
  ) =>
    present === undefined
      ? Effect.void
      : followSecret({
          variable,
          file,
          present,
          use: (value) =>
            Effect.sync(() => {
              take(tokensIn(value))
              access.use({ read, act })
              return {
                names: tokensIn(value)
                  .map(({ name }) => name)
                  .join(", ")
              }
            }),
          hurry
        }).pipe(Effect.forkScoped)
  yield* follow("CONSOLE_READ_TOKEN_FILE", Environment.consoleReadTokens, readTokens, (tokens) => {
    read = tokens
  })
  yield* follow("CONSOLE_ACT_TOKEN_FILE", Environment.consoleActTokens, actTokens, (tokens) => {
    act = tokens
  })
  return access
})

const listening = ({ host, port }: Settings) =>
  NodeHttpServer.layer(createPatientServer, { host, port }).pipe(
    Layer.catchTag("ServeError", ({ cause }) => {
      const problem = cause instanceof Error ? cause.message : `cannot listen on ${host}:${port}`
      return Layer.effectContext(new ConsoleCannotListen({ problem }))
    })
  )

/** Whose streams it shows. */
export interface Shown {
  readonly streams: ReadonlyArray<KnownStreams>
  readonly consumerGroup: string
}

type Folder = Environment.Value<typeof Environment.configFolder>

/** Serves for as long as its scope, and says where. */
export const consoleLayer = (settings: Settings, { consumerGroup, streams: sets }: Shown, folder: Folder) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const streams = yield* EventStreams
      const config = yield* ConfigStore
      const access = yield* accessFollowing(settings)
      const { allowedHosts, host } = settings
      const guarded = { access, failedTries: new FailedTries(), host, allowedHosts: allowedHosts ?? [] }
      const said = Layer.effectDiscard(
        Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
          Effect.logInfo("console.listening").pipe(Effect.annotateLogs({ address: HttpServer.formatAddress(address) }))
        )
      )
      return Layer.mergeAll(OperatorConsole.layer({ streams, sets, group: consumerGroup, guarded, config }), said).pipe(
        Layer.provide(listening(settings))
      )
    })
  ).pipe(Layer.provide(FileConfigStore.layer(folder)))
