/** The command line: every command, and how a process ends (contract section 1). */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, type Runtime } from "effect"
import { CliError, Command } from "effect/cli"
import { abandoned } from "./cli/abandoned.ts"
import { check } from "./cli/check.ts"
import { config } from "./cli/config.ts"
import { dlq } from "./cli/dlq.ts"
import { keygen } from "./cli/keygen.ts"
import { run } from "./cli/run.ts"
import { why } from "./cli/why.ts"
import { version } from "./layers/node/Host.ts"

const root = Command.make("job-collector").pipe(
  Command.withDescription(
    "Delivers events from Redis Streams to the jobs API, signed, and keeps the gateway's configuration"
  ),
  Command.withSubcommands([run, check, keygen, dlq, abandoned, why, config])
)

/** One plain line (or one a setting) for what ended the command: no stack, no secret. */
const explain = (error: unknown): Effect.Effect<void> =>
  // The command line's own errors were shown with the help already.
  CliError.isCliError(error) ? Effect.void : Console.error(error instanceof Error ? error.message : String(error))

/** A stop by signal is a clean stop. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)

/**
 * Who reads the output may leave before its end (`| head`): a command is stopped then, as by a signal; the service works on
 * without its log.
 */
const stopUnread = (error: NodeJS.ErrnoException): void => {
  if (error.code !== "EPIPE") throw error
  if (process.argv[2] !== "run") process.kill(process.pid, "SIGTERM")
}

process.stdout.on("error", stopUnread)

Command.run(root, { version }).pipe(
  Effect.tapError(explain),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
