/** Abandoned entries as the commands show them. */
import { fieldsToObject } from "../../domain/events/entry.ts"
import type { FailedEntry } from "../../programs/operator/failedEntry.ts"
import { abandonedItem } from "../../programs/operator/redrive.ts"
import type { Source } from "../../programs/operator/selection.ts"
import type { Operated } from "../operator.ts"

export const abandonedSource = ({ sets, streams }: Operated): Source => ({ streams, sets, place: "abandoned" })

/** An entry as JSON. */
export const abandonedValue = ({ fields, id, stream }: FailedEntry) => {
  const { abandoned, event, eventId, history, replayed } = abandonedItem(stream, { id, fields })
  return {
    stream,
    id,
    event_id: eventId ?? null,
    abandoned: abandoned ?? null,
    history,
    ...(replayed.length === 0 ? undefined : { replayed }),
    event: fieldsToObject(event)
  }
}
