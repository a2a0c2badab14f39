/** The audit: who changed what, noted beside the first set's transcribe stream (contract section 8, Audit). */
import { Clock, Effect } from "effect"
import { type AuditRecord, auditFields } from "../../domain/audit/auditRecord.ts"
import { auditPatience, type ConfigChange } from "../../services/ConfigAudit.ts"
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

/** Notes what the service itself changes of the configuration; that it could not is said in the log. */
export const auditOfService = (streams: EventStreams["Service"], stream: string, consumer: string) =>
  Effect.fnUntraced(function* ({ action, target, why }: ConfigChange): Effect.fn.Return<void> {
    const record = { at: yield* Clock.currentTimeMillis, who: `${consumer} (the service)`, action, target, why }
    const failed = yield* Effect.timeout(audit(streams, stream, record), auditPatience).pipe(
      Effect.catch(Effect.succeed)
    )
    if (failed === undefined) return
    yield* Effect.logWarning("audit.failed").pipe(Effect.annotateLogs({ action, problem: failed.message }))
  })
