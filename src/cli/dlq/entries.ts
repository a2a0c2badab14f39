/** DLQ entries as the commands show them. */
import { fieldsToObject } from "../../domain/events/entry.ts"
import { shortSpan } from "../../domain/text/relativeTime.ts"
import type { FailedEntry } from "../../programs/operator/failedEntry.ts"
import { dlqItem } from "../../programs/operator/redrive.ts"
import type { Source } from "../../programs/operator/selection.ts"
import { columnsOf } from "../entryListing.ts"
import type { Operated } from "../operator.ts"
import type { Column } from "../table.ts"

export const dlqSource = ({ sets, streams }: Operated): Source => ({ streams, sets, place: "dlq" })

/** An entry as JSON. */
export const dlqValue = ({ fields, id, stream }: FailedEntry) => {
  const { event, eventId, retry } = dlqItem(stream, { id, fields })
  return { stream, id, event_id: eventId ?? null, retry: retry ?? null, event: fieldsToObject(event) }
}

const dueOf = (notBefore: number | undefined, now: number): string => {
  if (notBefore === undefined) return "-"
  return notBefore > now ? `in ${shortSpan(notBefore - now + 999)}` : `${shortSpan(now - notBefore)} late`
}

export const dlqColumns =
  (sets: Source["sets"]) =>
  (now: number): ReadonlyArray<Column<FailedEntry>> => {
    const { age, attempts, error, event, id, model, reason, stream, user } = columnsOf(sets, now)
    const due: Column<FailedEntry> = { title: "DUE", cell: ({ said }) => dueOf(said?.notBefore, now) }
    return [age, id, event, due, { ...reason, optional: 5 }, attempts, stream, user, model, error]
  }
