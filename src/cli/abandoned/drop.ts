import { Command } from "effect/cli"
import { drop as dropAll, oneMore } from "../../programs/operator/redrive.ts"
import { actFlags, all } from "../acting.ts"
import { exportBefore, exportFlag } from "../exporting.ts"
import { filters, ids, limit } from "../filters.ts"
import { json } from "../flags.ts"
import { operating } from "../operator.ts"
import { abandonedColumns, actOn } from "../redriving.ts"
import { abandonedSource } from "./entries.ts"

export const drop = Command.make(
  "drop",
  { ids, ...filters, limit, all, export: exportFlag, ...actFlags, json },
  (flags) =>
    operating((operated) =>
      actOn(operated, {
        action: "abandoned drop",
        verb: "Delete for good",
        done: "dropped",
        source: abandonedSource(operated),
        flags,
        named: flags.ids,
        count: oneMore,
        before: exportBefore(flags.export),
        work: (entries, step) => dropAll(operated.streams, entries, step),
        columns: abandonedColumns(operated.sets)
      })
    )
).pipe(Command.withDescription("Delete abandoned events permanently"))
