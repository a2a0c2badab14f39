/** The command line: every command, and how a process ends (contract section 1). */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer, type Runtime } from "effect"
import { CliError, Command } from "effect/cli"
import { abandoned } from "./cli/abandoned.ts"
import { check } from "./cli/check.ts"
import { config } from "./cli/config.ts"
import { dlq } from "./cli/dlq.ts"
import { keygen } from "./cli/keygen.ts"
import { outputWasLost, watchOutput } from "./cli/lostOutput.ts"
import { run } from "./cli/run.ts"
import * as Usage from "./cli/usage.ts"
import { why } from "./cli/why.ts"
import { printable, printableLines } from "./domain/text/printable.ts"
import { version } from "./layers/node/Host.ts"

const root = Command.make("job-collector").pipe(
  Command.withDescription(
    "Deliver signed events from Redis Streams to the jobs API and keep the gateway's configuration in sync"
  ),
  Command.withSubcommands([run, check, keygen, dlq, abandoned, why, config])
)

/** One plain line (or one a setting) for what ended the command: no stack, no secret, and never nothing. */
const explain = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.forEach(
    cause.reasons,
    (reason) => {
      // The command line's own errors were shown already; a signal needs no words.
      if (Cause.isInterruptReason(reason) || (Cause.isFailReason(reason) && CliError.isCliError(reason.error))) {
        return Effect.void
      }
      const failed = Cause.isFailReason(reason)
      const error = failed ? reason.error : reason.defect
      const said = error instanceof Error ? error.message : String(error)
      return failed
        ? Console.error(printableLines(said))
        : Console.error(printable(`internal error, please report it: ${said}`))
    },
    { discard: true }
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
