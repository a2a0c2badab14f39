import * as NodeServices from "@effect/platform-node/NodeServices"
import { ConfigProvider, Effect, Exit, Layer } from "effect"
import { Command } from "effect/cli"
import { TestConsole } from "effect/testing"
import { ServerRedis } from "../../src/cli/operator.ts"
import { rootFor } from "../../src/cli/serviceCommands.ts"
import * as Usage from "../../src/cli/usage.ts"
import { Redis } from "../../src/services/Redis.ts"

/** Whole from the start: loading takes time that a test clock does not have. */
const root = await rootFor(["--wizard"])

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
