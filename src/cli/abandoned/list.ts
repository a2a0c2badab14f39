import { Clock, Effect } from "effect"
import { Command } from "effect/cli"
import { printEntries } from "../entryListing.ts"
import { filters, ids, limit } from "../filters.ts"
import { json } from "../flags.ts"
import { operating } from "../operator.ts"
import { abandonedColumns } from "../redriving.ts"
import { abandonedSource, abandonedValue } from "./entries.ts"

export const list = Command.make("list", { ids, ...filters, limit, json }, (flags) =>
  operating((operated) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      printEntries({
        source: abandonedSource(operated),
        flags,
        named: flags.ids,
        columns: abandonedColumns(operated.sets)(now),
        value: abandonedValue,
        none: "no abandoned event",
        what: "abandoned"
      })
    )
  )
).pipe(Command.withDescription("List abandoned events and why they were abandoned, newest first"))
