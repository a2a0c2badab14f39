/** The command line of the service: `run`, and all that a host app has too. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { commandLineFor } from "./commands.ts"

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

/** The whole command line, as these arguments need it. */
export const rootFor = (args: ReadonlyArray<string>) => commandLineFor(args, { run })
