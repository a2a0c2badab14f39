/** What the audit keeps of a change: who made it, when, what it was, and why (contract section 8, Audit). */
import { Result, Schema } from "effect"
import type { FlatFields } from "../events/entry.ts"
import { instant } from "../events/instant.ts"
import { jsonLimitProblem } from "../json/jsonLimits.ts"
import { cut } from "../text/printable.ts"

const AuditRecord = Schema.Struct({
  /** Epoch milliseconds, by the clock of whoever made the change. */
  at: Schema.Int,
  who: Schema.String,
  /** What was done, as the command that does it: `pause`, `abandoned replay`, `config changed`. */
  action: Schema.String,
  /** What it was done to: a partition, a version. */
  target: Schema.optional(Schema.String),
  /** How what it was done to was selected. */
  filter: Schema.optional(Schema.String),
  /** How many it touched. */
  count: Schema.optional(Schema.Int),
  why: Schema.optional(Schema.String)
})
export type AuditRecord = typeof AuditRecord.Type

/** The field of an audit entry that holds its record, as JSON. */
const field = "audit"

/** So long may each text be. */
const most = 1_000

const mostCharacters = 65_536

const Entry = Schema.Tuple([
  Schema.Literal(field),
  Schema.String.check(
    Schema.makeFilter((json: string) =>
      json.length > mostCharacters ? `must be at most ${mostCharacters} characters` : jsonLimitProblem(json)
    )
  ).pipe(Schema.decodeTo(Schema.fromJsonString(AuditRecord)))
])
const decode = Schema.decodeUnknownResult(Entry)

const shortened = (text: string | undefined): string | undefined => (text === undefined ? undefined : cut(text, most))

/** A record as the fields of an entry; texts that are too long are cut. */
export const auditFields = (record: AuditRecord): FlatFields => [
  field,
  JSON.stringify({
    ...record,
    who: shortened(record.who),
    target: shortened(record.target),
    filter: shortened(record.filter),
    why: shortened(record.why)
  })
]

/** The record of an entry; undefined where it holds none. */
export const auditRecordOf = (fields: FlatFields): AuditRecord | undefined =>
  Result.match(decode(fields), { onFailure: () => undefined, onSuccess: ([, record]) => record })

/** An entry's record as it is given to other programs; all of it null where the entry holds none. */
export const auditValue = ({ fields, id }: { readonly fields: FlatFields; readonly id: string }) => {
  const record = auditRecordOf(fields)
  return {
    id,
    at: record === undefined ? null : instant(record.at),
    who: record?.who ?? null,
    action: record?.action ?? null,
    target: record?.target ?? null,
    filter: record?.filter ?? null,
    count: record?.count ?? null,
    why: record?.why ?? null
  }
}
