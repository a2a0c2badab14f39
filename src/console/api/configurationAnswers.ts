/** The configuration as the admin API answers it. No key's value is in it. */
import { Schema } from "effect"

const Text = Schema.NullOr(Schema.String)
const Count = Schema.NullOr(Schema.Int)

export const Status = Schema.Struct({
  version: Count,
  generation: Count,
  installed_at: Text,
  reason: Text,
  /** Their ids. */
  keys: Schema.Array(Schema.String),
  models: Schema.Array(Schema.String),
  rate_limits: Schema.Int,
  reload_pending: Schema.Boolean,
  drift: Schema.Array(Schema.String),
  held: Schema.Boolean,
  held_until: Text,
  kept_out: Schema.NullOr(Schema.Struct({ up_to_version: Schema.Int, cause: Schema.String })),
  accepted_version: Count
})

export const History = Schema.Array(
  Schema.Struct({
    generation: Schema.Int,
    version: Count,
    installed_at: Text,
    reason: Text,
    goes_back_to: Count,
    current: Schema.Boolean,
    kept: Schema.Boolean,
    left_at: Text,
    left_by: Text
  })
)

export const Difference = Schema.Struct({
  from: Schema.Int,
  to: Schema.Int,
  total: Schema.Int,
  changes: Schema.Array(
    Schema.Struct({
      kind: Schema.Literals(["added", "removed", "changed"]),
      path: Schema.String,
      before: Schema.optionalKey(Schema.String),
      after: Schema.optionalKey(Schema.String)
    })
  )
})

export const Decided = Schema.Struct({
  status: Status,
  /** Why the audit does not have it. */
  unaudited: Text
})
