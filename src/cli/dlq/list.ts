import { Clock, Effect } from "effect"
import { Command } from "effect/cli"
import { printEntries } from "../entryListing.ts"
import { filters, ids, limit } from "../filters.ts"
import { json } from "../flags.ts"
import { operating } from "../operator.ts"
import { dlqColumns, dlqSource, dlqValue } from "./entries.ts"

export const list = Command.make("list", { ids, ...filters, limit, json }, (flags) =>
  operating((operated) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      printEntries({
        source: dlqSource(operated),
        flags,
        named: flags.ids,
        columns: dlqColumns(operated.sets)(now),
        value: dlqValue,
        none: "no event is waiting for a retry",
        what: "waiting"
      })
    )
  )
).pipe(Command.withDescription("List the events that are waiting for a retry, newest first"))
