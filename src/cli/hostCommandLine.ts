/** The command line of a host app, which knows the app's own kinds: all of the service's but `run` and `console`. */
import { Effect, Runtime, Schema, Stdio } from "effect"
import { Command } from "effect/cli"
import type { HostKinds } from "../domain/events/hostKinds.ts"
import { version } from "../layers/node/Host.ts"
import { commandLineFor } from "./commands.ts"
import { explain } from "./explain.ts"
import { watchOutput } from "./lostOutput.ts"
import { CommandKinds } from "./operator.ts"
import * as Usage from "./usage.ts"

/** A command has failed, and said why: `runMain` says nothing more of it, and the process ends with 1. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  cause: Schema.Defect()
}) {
  override readonly [Runtime.errorReported] = false

  override get message(): string {
    return "the command failed"
  }
}

/** Runs the command that the process's arguments name. */
export const hostCommandLine = Effect.fnUntraced(function* (name: string, known: HostKinds) {
  const { args: given } = yield* Stdio.Stdio
  const args = yield* given
  const root = yield* Effect.promise(() => commandLineFor(args, { name, known }))
  watchOutput()
  yield* Command.runWith(root, { version })(args).pipe(
    Effect.provideService(CommandKinds, known),
    Effect.tapCause(explain),
    Effect.mapError((cause) => new CommandFailed({ cause })),
    Effect.provide(Usage.layer)
  )
})
