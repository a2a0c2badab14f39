import { Command } from "effect/cli"
import { filters, limit } from "../filters.ts"
import { json } from "../flags.ts"
import { by, printGroups } from "../grouping.ts"
import { operating } from "../operator.ts"
import { abandonedSource } from "./entries.ts"

export const groups = Command.make("groups", { by, ...filters, limit, json }, (flags) =>
  operating((operated) => printGroups(abandonedSource(operated), flags, "no abandoned event"))
).pipe(Command.withDescription("Count abandoned events by error, stream, model, user or hour"))
