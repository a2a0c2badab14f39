/**
 * Replies of Redis as they are needed here, whatever the driver and its protocol: the one place that knows their shapes.
 *
 * | what | RESP2 | RESP3 |
 * | --- | --- | --- |
 * | names and values (XINFO) | a flat list | a map |
 * | entries by stream (XREAD, XREADGROUP) | a list of pairs | a map |
 * | a number | an integer | an integer, a double or a big number |
 * | yes or no | 1 or 0 | 1 or 0, or a boolean |
 *
 * A map comes as a `Map`, an object, or a flat list; text may come as bytes. An entry's fields are a flat list in either:
 * a map would forget their order and those of the same name.
 *
 * A reading gives `undefined` for a reply of another shape, which {@link readAs} makes an error that names the command.
 */
import { Effect } from "effect"
import type { FlatFields } from "../../domain/events/entry.ts"
import type { ConsumerInfo, GroupInfo, StreamInfo } from "../../services/EventStreams.ts"
import { EventStreamsError, Other } from "../../services/EventStreamsError.ts"
import { textOfBytes } from "../../services/Redis.ts"

/** What a reply says, or undefined where it has another shape. */
export type Reading<A> = (reply: unknown) => A | undefined

/** An entry's id and fields; nil where it was deleted while it was pending. */
type Entry = readonly [string, FlatFields | null]
type Entries = ReadonlyArray<Entry>

/** Reads a reply; one of another shape is an error of the driver or server, never a defect. */
export const readAs =
  <A>(command: string, reading: Reading<A>) =>
  (reply: unknown): Effect.Effect<A, EventStreamsError> => {
    const said = reading(reply)
    return said === undefined
      ? Effect.fail(new EventStreamsError({ reason: new Other({ message: `Unexpected reply to ${command}` }) }))
      : Effect.succeed(said)
  }

const isList = (reply: unknown): reply is ReadonlyArray<unknown> => Array.isArray(reply)
const isNil = (reply: unknown): boolean => reply === null || reply === undefined

export const text: Reading<string> = (reply) =>
  typeof reply === "string" ? reply : reply instanceof Uint8Array ? textOfBytes(reply) : undefined

/** One of the words that may be said. */
export const oneOf =
  <const Word extends string>(...words: ReadonlyArray<Word>): Reading<Word> =>
  (reply) => {
    const said = text(reply)
    return words.find((word) => word === said)
  }

const DECIMAL = /^-?\d+$/

/** A number that a double holds. */
export const count: Reading<number> = (reply) => {
  if (typeof reply === "number") return Number.isFinite(reply) ? reply : undefined
  if (typeof reply === "bigint" || typeof reply === "boolean") return Number(reply)
  const said = text(reply)
  return said !== undefined && DECIMAL.test(said) ? Number(said) : undefined
}

/** Nil is a reply as well. */
export const orNil =
  <A>(reading: Reading<A>): Reading<A | null> =>
  (reply) =>
    isNil(reply) ? null : reading(reply)

/** A list of what a reading reads. */
export const listOf =
  <A>(reading: Reading<A>): Reading<ReadonlyArray<A>> =>
  (reply) => {
    if (!isList(reply)) return undefined
    const read: Array<A> = []
    for (const item of reply) {
      const said = reading(item)
      if (said === undefined) return undefined
      read.push(said)
    }
    return read
  }

const isTexts = (reply: unknown): reply is ReadonlyArray<string> =>
  isList(reply) && reply.every((item) => typeof item === "string")

const copiedTexts = listOf(text)

/** A list of texts: as it stands where it holds text already, since every event comes by here. */
export const texts: Reading<ReadonlyArray<string>> = (reply) => (isTexts(reply) ? reply : copiedTexts(reply))

const isEntry = (item: unknown): item is Entry =>
  isList(item) && item.length === 2 && typeof item[0] === "string" && (item[1] === null || isTexts(item[1]))
const isEntries = (reply: unknown): reply is Entries => isList(reply) && reply.every(isEntry)

const copiedEntries = listOf((item): Entry | undefined => {
  if (!isList(item) || item.length !== 2) return undefined
  const id = text(item[0])
  const fields = orNil(texts)(item[1])
  return id === undefined || fields === undefined ? undefined : [id, fields]
})

/** Entries: as they stand where they are what they should be, as {@link texts}. */
export const entries: Reading<Entries> = (reply) => (isEntries(reply) ? reply : copiedEntries(reply))

const isPair = (item: unknown): item is readonly [unknown, unknown] => isList(item) && item.length === 2

/** The pairs of a map in whatever form it came: names and values by turns, pairs, a `Map` or an object. */
const pairsOf = (reply: unknown): ReadonlyArray<readonly [unknown, unknown]> | undefined => {
  if (isList(reply)) {
    if (isList(reply[0])) return reply.every(isPair) ? reply : undefined
    if (reply.length % 2 !== 0) return undefined
    return Array.from({ length: reply.length / 2 }, (_, at) => [reply[2 * at], reply[2 * at + 1]] as const)
  }
  if (reply instanceof Map) return [...reply]
  if (typeof reply !== "object" || reply === null || reply instanceof Uint8Array) return undefined
  return Object.entries(reply)
}

/** Values by their names. */
export type Named = ReadonlyMap<string, unknown>

export const named: Reading<Named> = (reply) => {
  const pairs = pairsOf(reply)
  if (pairs === undefined) return undefined
  const byName = new Map<string, unknown>()
  for (const [key, value] of pairs) {
    const name = text(key)
    if (name === undefined) return undefined
    byName.set(name, value)
  }
  return byName
}

const noEntries: Entries = []

/** The entries of a read of one stream; Redis answers nil where there is nothing new. */
export const readOfOne: Reading<Entries> = (reply) => {
  if (isNil(reply)) return noEntries
  const pairs = pairsOf(reply)
  const first = pairs?.[0]
  // Nothing at all is no answer: a driver lost the stream on the way, as an object does one named `__proto__`.
  if (first === undefined || pairs?.length !== 1 || text(first[0]) === undefined) return undefined
  return entries(first[1])
}

/** A pending entry: its id, who holds it, for how many milliseconds it is idle, how often it was handed out. */
export const pending = listOf((item): readonly [string, string, number, number] | undefined => {
  if (!isList(item) || item.length !== 4) return undefined
  const id = text(item[0])
  const consumer = text(item[1])
  const idle = count(item[2])
  const deliveries = count(item[3])
  return id === undefined || consumer === undefined || idle === undefined || deliveries === undefined
    ? undefined
    : [id, consumer, idle, deliveries]
})

/** The cursor, the claimed ids and, since Redis 7, the ids of entries that are gone. */
export const claimed: Reading<{
  readonly cursor: string
  readonly ids: ReadonlyArray<string>
  readonly deleted: ReadonlyArray<string>
}> = (reply) => {
  if (!isList(reply) || reply.length < 2 || reply.length > 3) return undefined
  const cursor = text(reply[0])
  const ids = texts(reply[1])
  const deleted = reply.length === 2 ? [] : texts(reply[2])
  return cursor === undefined || ids === undefined || deleted === undefined ? undefined : { cursor, ids, deleted }
}

/** Two lists of ids. */
export const twoLists: Reading<readonly [ReadonlyArray<string>, ReadonlyArray<string>]> = (reply) => {
  if (!isPair(reply)) return undefined
  const [first, second] = [texts(reply[0]), texts(reply[1])]
  return first === undefined || second === undefined ? undefined : [first, second]
}

/** What was taken up: nothing where it is not owned, its hand-outs alone where it was deleted, and its fields. */
export const taken: Reading<{ readonly deliveries?: number; readonly fields?: FlatFields }> = (reply) => {
  if (!isList(reply) || reply.length > 2) return undefined
  if (reply.length === 0) return {}
  const deliveries = count(reply[0])
  if (deliveries === undefined) return undefined
  if (reply.length === 1) return { deliveries }
  const fields = texts(reply[1])
  return fields === undefined ? undefined : { deliveries, fields }
}

export const streamInfo: Reading<StreamInfo> = (reply) => {
  const info = named(reply)
  const length = count(info?.get("length"))
  const lastGeneratedId = text(info?.get("last-generated-id"))
  const groups = count(info?.get("groups"))
  if (info === undefined || length === undefined || lastGeneratedId === undefined || groups === undefined) return
  const first = info.get("first-entry")
  return {
    length,
    firstId: Array.isArray(first) ? text(first[0]) : undefined,
    lastGeneratedId,
    entriesAdded: count(info.get("entries-added")) ?? 0,
    groups
  }
}

export const groupInfo: Reading<GroupInfo & { readonly name: string }> = (reply) => {
  const info = named(reply)
  const name = text(info?.get("name"))
  const lastDeliveredId = text(info?.get("last-delivered-id"))
  const pending = count(info?.get("pending"))
  const consumers = count(info?.get("consumers"))
  if (name === undefined || lastDeliveredId === undefined || pending === undefined || consumers === undefined) return
  const lag = count(info?.get("lag"))
  return { name, lastDeliveredId, pending, consumers, lag, entriesRead: count(info?.get("entries-read")) }
}

export const consumerInfo: Reading<ConsumerInfo> = (reply) => {
  const info = named(reply)
  const name = text(info?.get("name"))
  const pending = count(info?.get("pending"))
  const idle = count(info?.get("idle"))
  return name === undefined || pending === undefined || idle === undefined ? undefined : { name, pending, idle }
}
