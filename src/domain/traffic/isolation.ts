/**
 * Partitions: the events that share a value of a field (contract section 6, "One cannot stop all"). An event's partitions are its
 * values of the fields that part events, in their order; undefined where it lacks the field.
 */
import { cut } from "../text/printable.ts"
import { partitionFields } from "./namedPartition.ts"
import { mostValue } from "./rules.ts"

/** All fields by which events may be held up, those of `ISOLATE_BY` first: by the others an operator may park them. */
export const fieldsThatPart = (isolateBy: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set([...isolateBy, ...partitionFields])
]

/** One partition. */
export interface PartitionKey {
  /** The field's place among those that part events. */
  readonly field: number
  readonly value: string
}

/** An event's value of each field that parts events. */
export type PartitionValues = ReadonlyArray<string | undefined>

/** Longer ones share a partition with those that begin alike: a value is kept for as long as its events wait. */
const longest = mostValue

const valueOf = (value: unknown): string | undefined => {
  if (typeof value === "string") {
    if (value.length <= longest) return value === "" ? undefined : value
    // Parsed anew: a part of a text keeps all of it in memory.
    const key: unknown = JSON.parse(JSON.stringify(value.slice(0, longest).toWellFormed()))
    return typeof key === "string" ? key : undefined
  }
  return typeof value === "number" ? String(value) : undefined
}

/** The partitions of an event, from its fields by name. */
export const partitionsOf = (
  values: Readonly<Record<string, unknown>>,
  partedBy: ReadonlyArray<string>
): PartitionValues => {
  const partitions: Array<string | undefined> = []
  for (const field of partedBy) partitions.push(Object.hasOwn(values, field) ? valueOf(values[field]) : undefined)
  return partitions
}

/** A partition as `field=value`, as DLQ entries, logs and health have it. */
export const partitionName = (partedBy: ReadonlyArray<string>, { field, value }: PartitionKey): string =>
  `${partedBy[field]}=${value}`

/** The partition of a name; undefined where its field parts no events. */
export const partitionOfName = (partedBy: ReadonlyArray<string>, name: string): PartitionKey | undefined => {
  const at = name.indexOf("=")
  const field = partedBy.indexOf(name.slice(0, Math.max(0, at)))
  return field < 0 ? undefined : { field, value: name.slice(at + 1) }
}

/** A partition's name as people are shown it. */
export const shownPartition = (partedBy: ReadonlyArray<string>, partition: PartitionKey): string =>
  cut(partitionName(partedBy, partition), 160)
