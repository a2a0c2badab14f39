import { Data, Effect, FileSystem, Path, Redacted, Schedule, Schema } from "effect"

/** The configuration that the gateway runs. */
export interface GatewayConfiguration {
  readonly version: number
  readonly keys: ReadonlyMap<string, Redacted.Redacted>
  readonly models: ReadonlyMap<string, typeof Model.Type>
  readonly limits: ReadonlyMap<string, typeof Limit.Type>
}

/** The files cannot be used; the message names file and rule, never a value. */
class ConfigurationError extends Data.TaggedError("ConfigurationError")<{
  readonly message: string
  /** Whether reading again at once may help: the files were being replaced. */
  readonly passing: boolean
}> {}

const Model = Schema.Struct({
  id: Schema.NonEmptyString,
  provider: Schema.String,
  enabled: Schema.Boolean,
  rules: Schema.Record(Schema.String, Schema.Json),
  costs: Schema.Record(Schema.String, Schema.Json)
})
const Limit = Schema.Struct({
  model: Schema.NonEmptyString,
  requests_per_minute: Schema.Int,
  tokens_per_minute: Schema.Int
})
const version = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const OpenAi = Schema.Struct({
  version,
  openai_keys: Schema.Array(Schema.Struct({ id: Schema.NonEmptyString, key: Schema.NonEmptyString }))
})
const Models = Schema.Struct({ version, model_configs: Schema.Array(Model) })
const Limits = Schema.Struct({ version, rate_limits: Schema.Array(Limit) })

const passing = (message: string) => new ConfigurationError({ message, passing: true })

/** Reads the three files of one folder. */
const readFolder = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const read = <A>(name: string, schema: Schema.Codec<A, A>) =>
    fs.readFileString(path.join(folder, name)).pipe(
      Effect.mapError(() => passing(`${name} cannot be read`)),
      Effect.flatMap((text) =>
        Effect.mapError(
          Schema.decodeEffect(Schema.fromJsonString(schema))(text),
          () => new ConfigurationError({ message: `${name} is not what it should be`, passing: false })
        )
      )
    )
  const openai = yield* read("openai.conf", OpenAi)
  const models = yield* read("models.conf", Models)
  const limits = yield* read("limits.conf", Limits)
  if (models.version !== openai.version || limits.version !== openai.version) {
    return yield* passing("openai.conf, models.conf and limits.conf are of different versions")
  }
  return {
    version: openai.version,
    keys: new Map(openai.openai_keys.map(({ id, key }) => [id, Redacted.make(key)])),
    models: new Map(models.model_configs.map((model) => [model.id, model])),
    limits: new Map(limits.rate_limits.map((limit) => [limit.model, limit]))
  } satisfies GatewayConfiguration
})

/**
 * Loads the three files of one version. Where the folder has a link `current`, it is resolved once and all three are
 * read behind it; where it has none, the versions in the files are compared. Files that are being replaced are read
 * again for a second.
 */
export const loadConfiguration = Effect.fn("loadConfiguration")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const current = path.join(directory, "current")
  return yield* Effect.result(fs.realPath(current)).pipe(
    Effect.flatMap((link) => readFolder(link._tag === "Success" ? link.success : directory)),
    Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 50, while: (error) => error.passing })
  )
})
