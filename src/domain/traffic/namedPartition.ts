/** A partition as an operator names it: `user_id=u-1`. */
import { mostValue } from "./rules.ts"

/** One value of one field. */
export interface NamedPartition {
  readonly field: string
  readonly value: string
}

/** The fields of the built-in events that part them: an operator may park by them, and have events isolated by them. */
export const partitionFields: ReadonlyArray<string> = ["model", "user_id", "device_id", "session_id"]

/** What a text names, or what is wrong with it. `fields`: those that events are parted by. */
export const namedPartition = (
  text: string,
  fields: ReadonlyArray<string> = partitionFields
): NamedPartition | { readonly problem: string } => {
  const at = text.indexOf("=")
  const field = text.slice(0, Math.max(0, at))
  const value = text.slice(at + 1)
  if (field === "") return { problem: "it must be <field>=<value>, such as user_id=u-1" }
  if (!fields.includes(field))
    return { problem: `no event can be parked by a field ${field}; there are ${fields.join(", ")}` }
  if (value === "") return { problem: `a value must follow ${field}=` }
  if (value.length > mostValue) return { problem: `the value of ${field} must be at most ${mostValue} characters` }
  return { field, value }
}
