/** Ids of stream entries, `<milliseconds>-<sequence>` (Redis XADD): parts that may exceed 2^53, hence bigint. */

import { Schema } from "effect"

export const EntryId = Schema.String.check(Schema.isPattern(/^\d{1,20}-\d{1,20}$/))

const parts = (id: string): readonly [bigint, bigint] => {
  const dash = id.indexOf("-")
  return dash < 0 ? [BigInt(id), 0n] : [BigInt(id.slice(0, dash)), BigInt(id.slice(dash + 1))]
}

/** The time in an id, in epoch milliseconds. */
export const timeOfId = (id: string): number => Number(id.slice(0, id.indexOf("-") < 0 ? undefined : id.indexOf("-")))

/** Negative, zero or positive as `a` comes before, is, or comes after `b`. */
export const compareIds = (a: string, b: string): number => {
  if (a === b) return 0
  const [aTime, aSequence] = parts(a)
  const [bTime, bSequence] = parts(b)
  if (aTime !== bTime) return aTime < bTime ? -1 : 1
  return aSequence < bSequence ? -1 : aSequence > bSequence ? 1 : 0
}

/** The id just before this one: an exclusive start. */
export const idBefore = (id: string): string => {
  const [time, sequence] = parts(id)
  if (sequence > 0n) return `${time}-${sequence - 1n}`
  return time === 0n ? "-" : `${time - 1n}-18446744073709551615`
}

export const smallerId = (a: string, b: string): string => (compareIds(a, b) <= 0 ? a : b)
export const greaterId = (a: string, b: string): string => (compareIds(a, b) >= 0 ? a : b)

const largestPart = 2n ** 64n - 1n

/** Whether Redis takes it for an id. */
export const isEntryId = (text: string): boolean =>
  /^\d{1,20}-\d{1,20}$/.test(text) && parts(text).every((part) => part <= largestPart)
