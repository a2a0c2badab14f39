/** What the admin API answers, as schemas and as values. Times are ISO 8601. */
import { Schema } from "effect"
import { fieldsToObject } from "../../domain/events/entry.ts"
import { instant } from "../../domain/events/instant.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import { type Rehearsal as Rehearsed, selectionText } from "../../programs/operator/actOnFailed.ts"
import type { FailedEntry } from "../../programs/operator/failedEntry.ts"
import { abandonedItem, dlqItem } from "../../programs/operator/redrive.ts"
import type { Job as RedriveJob } from "../../programs/operator/redriveJobs.ts"

const Text = Schema.NullOr(Schema.String)
const Count = Schema.NullOr(Schema.Int)

export const Rule = Schema.Struct({
  kind: Schema.Literals(["pause", "limit", "park"]),
  rate: Schema.optionalKey(Schema.String),
  field: Schema.optionalKey(Schema.String),
  value: Schema.optionalKey(Schema.String),
  at: Schema.String,
  until: Text,
  by: Schema.String,
  why: Text
})

export const Rules = Schema.Struct({
  rules: Schema.Array(
    Schema.Struct({
      ...Rule.fields,
      /** How many events wait because of it; null where Redis cannot tell. */
      holds: Count,
      /** Whether there may be more, in what was not looked at. */
      holds_more: Schema.Boolean
    })
  ),
  /** Entries of the DLQ that were looked at for what is parked. */
  looked: Schema.Int,
  problem: Text
})

export const Changed = Schema.Struct({
  changed: Schema.Array(Rule),
  rules: Schema.Array(Rule),
  /** Why the audit does not have it. */
  unaudited: Text
})

const instantOrNull = (at: number | undefined): string | null => (at === undefined ? null : instant(at))

/** How far was looked: all there is where `next` is null. */
const Looked = { looked: Schema.Int, next: Text }

export const Groups = Schema.Struct({
  by: Schema.String,
  groups: Schema.Array(
    Schema.Struct({
      key: Schema.String,
      count: Schema.Int,
      first: Schema.String,
      last: Schema.String,
      latest_id: Schema.String
    })
  ),
  /** How many matched, in the groups that are left out too. */
  matched: Schema.Int,
  ...Looked
})

const Fields = Schema.Record(Schema.String, Schema.Unknown)

const Entry = Schema.Struct({
  stream: Schema.String,
  id: Schema.String,
  came: Schema.String,
  event_id: Text,
  /** Where it is of the DLQ; null where it does not decode. */
  retry: Schema.optionalKey(Schema.NullOr(Fields)),
  abandoned: Schema.optionalKey(Schema.NullOr(Fields)),
  history: Schema.Array(Schema.Unknown),
  replayed: Schema.Array(Schema.Unknown),
  event: Fields
})

export const EntryPage = Schema.Struct({ entries: Schema.Array(Entry), ...Looked })

export const entryValue = (entry: FailedEntry): typeof Entry.Type => {
  const { fields, id, stream } = entry
  const about = { stream, id, came: instant(timeOfId(id)) }
  if (entry.place === "dlq") {
    const { event, eventId, retry } = dlqItem(stream, { id, fields })
    const { history, replayed, ...said } = retry ?? { history: [], replayed: [] }
    return {
      ...about,
      event_id: eventId ?? null,
      retry: retry === undefined ? null : said,
      history: history ?? [],
      replayed: replayed ?? [],
      event: fieldsToObject(event)
    }
  }
  const { abandoned, event, eventId, history, replayed } = abandonedItem(stream, { id, fields })
  return {
    ...about,
    event_id: eventId ?? null,
    abandoned: abandoned === undefined ? null : { ...abandoned },
    history,
    replayed,
    event: fieldsToObject(event)
  }
}

export const Story = Schema.Struct({
  event_id: Schema.String,
  verdict: Schema.String,
  chapters: Schema.Array(Schema.Unknown),
  /** Whether all was seen; otherwise there may be more of it, in what was not looked at. */
  is_whole: Schema.Boolean,
  looked: Schema.Array(Schema.Struct({ stream: Schema.String, looked: Schema.Int, back_to: Text }))
})

export const AuditPage = Schema.Struct({
  changes: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      at: Text,
      who: Text,
      action: Text,
      target: Text,
      filter: Text,
      count: Count,
      why: Text
    })
  ),
  next: Text
})

const ProgressFields = {
  done: Schema.Int,
  gone: Schema.Int,
  unreadable: Schema.Int,
  foreign_origin: Schema.Int,
  already_due: Schema.Int,
  settled: Schema.Int
}

const progressValue = ({ alreadyDue, done, foreignOrigin, gone, settled, unreadable }: RedriveJob["progress"]) => ({
  done,
  gone,
  unreadable,
  foreign_origin: foreignOrigin,
  already_due: alreadyDue,
  settled
})

export const Job = Schema.Struct({
  id: Schema.String,
  action: Schema.String,
  /** As the command line has it. */
  filter: Schema.String,
  rate: Schema.Int,
  by: Schema.String,
  why: Text,
  state: Schema.Literals(["counting", "running", "done", "cancelled", "failed"]),
  started_at: Schema.String,
  ended_at: Text,
  total: Count,
  ...ProgressFields,
  problem: Text,
  unaudited: Text
})

export const jobValue = (job: RedriveJob): typeof Job.Type => ({
  id: job.id,
  action: job.request.action,
  filter: selectionText(job.request),
  rate: job.request.rate,
  by: job.request.by,
  why: job.request.why ?? null,
  state: job.state,
  started_at: instant(job.startedAt),
  ended_at: instantOrNull(job.endedAt),
  total: job.total ?? null,
  ...progressValue(job.progress),
  problem: job.problem ?? null,
  unaudited: job.unaudited ?? null
})

export const Rehearsal = Schema.Struct({
  dry_run: Schema.Literal(true),
  matched: Schema.Int,
  ...ProgressFields,
  looked: Schema.Int,
  /** Whether all there is was looked at. */
  is_whole: Schema.Boolean,
  sample: Schema.Array(Entry)
})

export const rehearsalValue = ({ isWhole, looked, matched, progress, sample }: Rehearsed): typeof Rehearsal.Type => ({
  dry_run: true,
  matched,
  ...progressValue(progress),
  looked,
  is_whole: isWhole,
  sample: sample.map(entryValue)
})
