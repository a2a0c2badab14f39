/** `job-collector console`: serves the operator's console and the admin API (contract section 10). */
import { Effect, Layer, Option } from "effect"
import { Command, GlobalFlag } from "effect/cli"
import * as Environment from "../layers/settings/Environment.ts"
import * as Logging from "../layers/telemetry/Logging.ts"
import { consoleLayer } from "./consoleServing.ts"
import { memoryProblem, redisLayer } from "./operator.ts"

const settingsOf = Environment.load(
  Environment.all({
    redis: Environment.redis,
    streams: Environment.streams,
    console: Environment.operatorConsole,
    folder: Environment.configFolder,
    logging: Environment.logging,
    exposure: Environment.exposure
  })
)

export const operatorConsole = Command.make(
  "console",
  {},
  Effect.fnUntraced(function* () {
    const { settings, warnings } = yield* settingsOf
    const { logging, redis, streams } = settings
    if (redis._tag === "Memory") {
      return yield* new Environment.SettingsError({ problems: [{ variable: "REDIS_URL", problem: memoryProblem }] })
    }
    const level = yield* GlobalFlag.LogLevel
    const warn = Effect.forEach(
      warnings,
      (warning) => Effect.logWarning("settings.warning").pipe(Effect.annotateLogs({ problem: warning })),
      { discard: true }
    )
    const served = consoleLayer(settings.console, streams, settings.folder).pipe(
      Layer.provide(redisLayer(redis.options))
    )
    return yield* Effect.andThen(warn, Layer.launch(served)).pipe(
      Effect.provide(Logging.layer({ ...logging, level: Option.getOrElse(level, () => logging.level) }))
    )
  })
)
