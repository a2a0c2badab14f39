/** The command line: every command, and how a process ends (contract section 1). */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, type Runtime } from "effect"
import { Command } from "effect/cli"
import { explain } from "./cli/explain.ts"
import { outputWasLost, watchOutput } from "./cli/lostOutput.ts"
import { rootFor } from "./cli/serviceCommands.ts"
import * as Usage from "./cli/usage.ts"
import { version } from "./layers/node/Host.ts"

const root = await rootFor(process.argv.slice(2))

/** A stop by signal is a clean stop; what was lost on its way out is none. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit((Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) && !outputWasLost() ? 0 : 1)

watchOutput()

Command.run(root, { version }).pipe(
  Effect.tapCause(explain),
  Effect.provide(Layer.merge(NodeServices.layer, Usage.layer)),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
