/** The audit: who changed what, noted beside the first set's transcribe stream (contract section 8, Audit). */
import { Effect } from "effect"
import { type AuditRecord, auditFields } from "../../domain/audit/auditRecord.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"

/** Notes a change: why that could not be done, where it could not. The change has been made, and is not undone for it. */
export const audit = (
  streams: EventStreams["Service"],
  stream: string,
  record: AuditRecord
): Effect.Effect<EventStreamsError | undefined> =>
  Effect.match(streams.addToAudit(stream, auditFields(record)), {
    onFailure: (error) => error,
    onSuccess: () => undefined
  })
