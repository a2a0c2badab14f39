import { Clock, Effect } from "effect"
import { Command } from "effect/cli"
import { rehearseRetry, retryNow } from "../../programs/operator/redrive.ts"
import { actFlags, all } from "../acting.ts"
import { filters, ids, limit } from "../filters.ts"
import { json } from "../flags.ts"
import { operating } from "../operator.ts"
import { actOn } from "../redriving.ts"
import { dlqColumns, dlqSource } from "./entries.ts"

export const retry = Command.make("retry", { ids, ...filters, limit, all, ...actFlags, json }, (flags) =>
  operating((operated) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      actOn(operated, {
        action: "dlq retry",
        verb: "Retry",
        done: "retried",
        source: dlqSource(operated),
        flags,
        named: flags.ids,
        count: (progress, entry) => rehearseRetry(progress, entry, now),
        work: (entries, step) => retryNow(operated.streams, operated.group, entries, step),
        columns: dlqColumns(operated.sets)
      })
    )
  )
).pipe(
  Command.withDescription(
    "Make events that are waiting for a retry due now and change nothing else; those nearly due are left alone"
  )
)
