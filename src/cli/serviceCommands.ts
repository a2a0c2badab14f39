/** The command line of the service: `run` and `console`, and all that a host app has too. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { commandLineFor, entry } from "./commands.ts"

/** The largest of them is loaded when it runs, not for its help either, and with the heap held down. */
const run = Command.make(
  "run",
  {},
  Effect.fnUntraced(function* () {
    const heap = yield* Effect.promise(() => import("../layers/node/HeapGrowth.ts"))
    heap.slowGrowth()
    const service = yield* Effect.promise(() => import("./run.ts"))
    heap.limitYoungSpace()
    return yield* service.run
  })
)

const first = [
  entry("service", "run", "Run the service", "Run the service until it receives SIGTERM or SIGINT", async () => run),
  entry(
    "service",
    "console",
    "Serve the web console",
    "Serve the operator's console and the admin API on CONSOLE_HOST and CONSOLE_PORT until it receives SIGTERM or SIGINT; it needs only Redis",
    async () => (await import("./console.ts")).operatorConsole
  )
] as const

/** The whole command line, as these arguments need it. */
export const rootFor = (args: ReadonlyArray<string>) => commandLineFor(args, { first })
