/** Tells the gateway by a command: no shell, a time limit, an environment without this program's secrets. */
import { Effect } from "effect"
import * as ChildProcess from "effect/process/ChildProcess"
import type * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import { withoutSecrets, wordsOfCommand } from "../../domain/gatewayConfig/reloadCommand.ts"
import { GatewayError } from "../../services/Gateway.ts"

const LIMIT = 30

const commandFailed = (problem: string) =>
  new GatewayError({ reason: "CommandFailed", problem: `GATEWAY_RELOAD_COMMAND: ${problem}` })

export const makeCommandReload = (
  spawner: ChildProcessSpawner.ChildProcessSpawner["Service"],
  text: string,
  environment: Readonly<Record<string, string | undefined>>
): Effect.Effect<void, GatewayError> => {
  const words = wordsOfCommand(text)
  if (words === undefined) return Effect.fail(commandFailed("it must name a program"))
  const [program, ...args] = words
  const command = ChildProcess.make(program, args, {
    env: withoutSecrets(environment),
    extendEnv: false,
    shell: false,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    forceKillAfter: "2 seconds"
  })
  return spawner.exitCode(command).pipe(
    // What the system says of a program that cannot be started may quote its arguments.
    Effect.mapError(({ reason }) =>
      commandFailed(`${program} ${reason.method === "exitCode" ? "was ended by a signal" : "could not be run"}`)
    ),
    Effect.timeoutOrElse({
      duration: LIMIT * 1_000,
      orElse: () => Effect.fail(commandFailed(`${program} took more than ${LIMIT} s and was ended`))
    }),
    Effect.flatMap((code) => (code === 0 ? Effect.void : Effect.fail(commandFailed(`${program} exited with ${code}`))))
  )
}
