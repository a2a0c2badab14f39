import { Command } from "effect/cli"
import { dropRetries, oneMore } from "../../programs/operator/redrive.ts"
import { actFlags, all } from "../acting.ts"
import { exportBefore, exportFlag } from "../exporting.ts"
import { filters, ids, limit } from "../filters.ts"
import { json } from "../flags.ts"
import { operating } from "../operator.ts"
import { actOn } from "../redriving.ts"
import { dlqColumns, dlqSource } from "./entries.ts"

export const drop = Command.make(
  "drop",
  { ids, ...filters, limit, all, export: exportFlag, ...actFlags, json },
  (flags) =>
    operating((operated) =>
      actOn(operated, {
        action: "dlq drop",
        verb: "Delete for good",
        done: "dropped",
        source: dlqSource(operated),
        flags,
        named: flags.ids,
        count: oneMore,
        before: exportBefore(flags.export),
        work: (entries, step) => dropRetries(operated.streams, operated.group, entries, step),
        columns: dlqColumns(operated.sets)
      })
    )
).pipe(
  Command.withDescription(
    "Permanently delete events that are waiting for a retry; a delivery under way runs its course"
  )
)
