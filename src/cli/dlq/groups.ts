import { Command } from "effect/cli"
import { filters, limit } from "../filters.ts"
import { json } from "../flags.ts"
import { by, printGroups } from "../grouping.ts"
import { operating } from "../operator.ts"
import { dlqSource } from "./entries.ts"

export const groups = Command.make("groups", { by, ...filters, limit, json }, (flags) =>
  operating((operated) => printGroups(dlqSource(operated), flags, "no event is waiting for a retry"))
).pipe(Command.withDescription("Count the events that are waiting for a retry by error, stream, model, user or hour"))
