import * as NodeServices from "@effect/platform-node/NodeServices"
import { ConfigProvider, Effect, Exit, Layer } from "effect"
import { Command } from "effect/cli"
import { TestConsole } from "effect/testing"
import { abandoned } from "../../src/cli/abandoned/index.ts"
import { audit } from "../../src/cli/audit.ts"
import { check } from "../../src/cli/check.ts"
import { config } from "../../src/cli/config.ts"
import { dlq } from "../../src/cli/dlq/index.ts"
import { erase } from "../../src/cli/erase.ts"
import { keygen } from "../../src/cli/keygen.ts"
import { lint } from "../../src/cli/lint.ts"
import { ServerRedis } from "../../src/cli/operator.ts"
import { report } from "../../src/cli/report.ts"
import { tail } from "../../src/cli/tail.ts"
import { top } from "../../src/cli/top.ts"
import { limit, park, pause, resume, rules, unpark } from "../../src/cli/traffic.ts"
import * as Usage from "../../src/cli/usage.ts"
import { verifyApi } from "../../src/cli/verifyApi.ts"
import { why } from "../../src/cli/why.ts"
import { Redis } from "../../src/services/Redis.ts"

const root = Command.make("job-collector").pipe(
  Command.withSubcommands([
    erase,
    report,
    tail,

    dlq,
    abandoned,
    top,
    pause,
    resume,
    limit,
    park,
    unpark,
    rules,
    audit,
    why,
    config,
    check,
    keygen,
    lint,
    verifyApi
  ])
)

export interface Ran {
  readonly ok: boolean
  readonly out: ReadonlyArray<string>
  /** What was said on stderr, with the error's message at its end, as `main.ts` prints it. */
  readonly err: ReadonlyArray<string>
}

/** Runs one of the operator's commands in this process, its environment as given. */
export const commandLine = (environment: Record<string, string>, ...args: ReadonlyArray<string>): Promise<Ran> =>
  Effect.runPromise(command(environment, ...args))

/** As {@link commandLine}, on a Redis that the caller has. */
export const commandOn = (redis: Redis["Service"], ...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  command({ REDIS_URL: "redis://memory" }, ...args).pipe(
    Effect.provideService(ServerRedis, () => Layer.succeed(Redis, redis))
  )

const command = (environment: Record<string, string>, ...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Command.runWith(root, { version: "0.0.0" })(args))
    const out = (yield* TestConsole.logLines).map(String)
    const err = (yield* TestConsole.errorLines).map(String)
    if (Exit.isSuccess(exit)) return { ok: true, out: out.flatMap((text) => text.split("\n")), err }
    const [reason] = exit.cause.reasons
    const error: unknown = reason?._tag === "Fail" ? reason.error : reason
    return {
      ok: false,
      out: out.flatMap((text) => text.split("\n")),
      err: [...err, error instanceof Error ? error.message : String(error)]
    }
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        NodeServices.layer,
        Usage.layer,
        Layer.fresh(TestConsole.layer),
        ConfigProvider.layer(ConfigProvider.fromEnvRecord(environment))
      )
    )
  )
