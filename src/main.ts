/** The command line: every command, and how a process ends (contract section 1). */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, type Runtime } from "effect"
import { Command } from "effect/cli"
import { abandoned } from "./cli/abandoned.ts"
import { check } from "./cli/check.ts"
import { config } from "./cli/config.ts"
import { dlq } from "./cli/dlq.ts"
import { explain } from "./cli/explain.ts"
import { keygen } from "./cli/keygen.ts"
import { lint } from "./cli/lint.ts"
import { outputWasLost, watchOutput } from "./cli/lostOutput.ts"
import { run } from "./cli/run.ts"
import * as Usage from "./cli/usage.ts"
import { verifyApi } from "./cli/verifyApi.ts"
import { why } from "./cli/why.ts"
import { version } from "./layers/node/Host.ts"

const root = Command.make("job-collector").pipe(
  Command.withDescription(
    "Deliver signed events from Redis Streams to the jobs API and keep the gateway's configuration in sync"
  ),
  Command.withSubcommands([run, check, keygen, dlq, abandoned, why, config, lint, verifyApi])
)

/** A stop by signal is a clean stop; what was lost on its way out is none. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit((Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) && !outputWasLost() ? 0 : 1)

watchOutput()

Command.run(root, { version }).pipe(
  Effect.tapCause(explain),
  Effect.provide(Layer.merge(NodeServices.layer, Usage.layer)),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
