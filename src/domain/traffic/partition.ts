/** What an operator may name a partition by: the fields that an event's sender can be told apart by. */
import { mostValue } from "./rules.ts"

/** The fields of the built-in events that part them; a host app's own events may have others. */
const partitionFields: ReadonlyArray<string> = ["model", "user_id", "device_id", "session_id"]

/** One value of one field. */
export interface Partition {
  readonly field: string
  readonly value: string
}

/** A partition as people write it: `user_id=u-1`; or what is wrong with it. */
export const partitionOf = (
  text: string,
  fields: ReadonlyArray<string> = partitionFields
): Partition | { readonly problem: string } => {
  const at = text.indexOf("=")
  const field = text.slice(0, Math.max(0, at))
  const value = text.slice(at + 1)
  if (at < 0) return { problem: "it must be <field>=<value>, such as user_id=u-1" }
  if (!fields.includes(field))
    return { problem: `no event has a field ${field} to park by; there are ${fields.join(", ")}` }
  if (value === "") return { problem: `a value must follow ${field}=` }
  if (value.length > mostValue) return { problem: `the value of ${field} must be at most ${mostValue} characters` }
  return { field, value }
}
