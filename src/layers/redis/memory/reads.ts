/** XREAD and XREADGROUP: at once, from a consumer's own pending entries, or waiting for new ones (BLOCK). */

import { requireGroup } from "./groups.ts"
import { compareIds, type Id, MAX, nextId, ZERO } from "./ids.ts"
import type { Command, Keyspace, Waiter } from "./keyspace.ts"
import { integer, type Reply, ReplyError, syntaxError } from "./replies.ts"
import { type Consumer, entryReply, type Group, type Pending, reassign, type Stream, visitConsumer } from "./stream.ts"
import { strictId } from "./streams.ts"

/** A read that found nothing and is to wait; `timeout` in milliseconds, 0 for ever. */
export class Blocked {
  readonly timeout: number
  /** Makes the waiter; `settle` is called once, with the reply or the error, if it is served. */
  readonly waiter: (settle: (outcome: Reply | ReplyError) => void) => Waiter

  constructor(timeout: number, waiter: Blocked["waiter"]) {
    this.timeout = timeout
    this.waiter = waiter
  }
}

interface ReadOptions {
  readonly group: string | undefined
  readonly consumer: string
  readonly noAck: boolean
  /** 0: all. */
  readonly count: number
  /** Milliseconds, 0 for ever; undefined: do not wait. */
  readonly block: number | undefined
  readonly keys: ReadonlyArray<string>
  readonly ids: ReadonlyArray<string>
}

/** What a waiting reader gets at most where it names no COUNT. */
const BLOCKED_COUNT = 1_000

const onlyInGroups = (option: string) =>
  new ReplyError(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`)

const parseTimeout = (text: string | undefined): number => {
  const timeout = integer(text, () => new ReplyError("ERR timeout is not an integer or out of range"))
  if (timeout < 0) throw new ReplyError("ERR timeout is negative")
  return timeout
}

const parseRead = (args: ReadonlyArray<string>, inGroup: boolean): ReadOptions => {
  let group: string | undefined
  let consumer = ""
  let noAck = false
  let count = 0
  let block: number | undefined
  let streams: ReadonlyArray<string> | undefined
  for (let at = 0; at < args.length && streams === undefined; at++) {
    const option = args[at]?.toUpperCase()
    const more = args.length - 1 - at
    if (option === "BLOCK" && more > 0) {
      block = parseTimeout(args[++at])
    } else if (option === "COUNT" && more > 0) {
      count = Math.max(0, integer(args[++at]))
    } else if (option === "STREAMS" && more > 0) {
      streams = args.slice(at + 1)
      if (streams.length % 2 !== 0) {
        throw new ReplyError(
          "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
        )
      }
    } else if (option === "GROUP" && more >= 2) {
      if (!inGroup) throw onlyInGroups("GROUP")
      group = args[++at] ?? ""
      consumer = args[++at] ?? ""
    } else if (option === "NOACK") {
      if (!inGroup) throw onlyInGroups("NOACK")
      noAck = true
    } else {
      throw syntaxError()
    }
  }
  if (streams === undefined) throw syntaxError()
  if (inGroup && group === undefined) throw new ReplyError("ERR Missing GROUP option for XREADGROUP")
  const half = streams.length / 2
  return { group, consumer, noAck, count, block, keys: streams.slice(0, half), ids: streams.slice(half) }
}

/** New entries of a stream handed to a consumer of a group. */
const handOut = (
  stream: Stream,
  group: Group,
  consumer: Consumer,
  options: ReadOptions,
  count: number,
  now: number
) => {
  const { entries } = stream
  const replies: Array<Reply> = []
  const start = nextId(group.lastId)
  if (start === undefined) return replies
  for (let at = entries.seek(start); at < entries.end && (count === 0 || replies.length < count); at++) {
    const entry = entries.at(at)
    if (entry === undefined) continue
    replies.push(entryReply(entry))
    stream.advance(group, entry.id)
    if (options.noAck) continue
    const known = group.pending.get(entry.id)
    if (known === undefined) {
      const pending: Pending = { id: entry.id, text: entry.text, consumer, deliveredAt: now, deliveries: 1 }
      group.pending.add(pending)
      consumer.pending.add(pending)
    } else {
      reassign(known, consumer)
      known.deliveredAt = now
      known.deliveries = 1
    }
  }
  return replies
}

/** A consumer's own pending entries above an id; a deleted one has nil for its fields. */
const ownHistory = (stream: Stream, { pending }: Consumer, after: Id, count: number, now: number): Array<Reply> => {
  const replies: Array<Reply> = []
  const start = nextId(after)
  if (start === undefined) return replies
  for (let at = pending.seek(start); at < pending.end && (count === 0 || replies.length < count); at++) {
    const item = pending.at(at)
    if (item === undefined) continue
    const entry = stream.entries.get(item.id)
    if (entry === undefined) {
      replies.push([item.text, null])
    } else {
      item.deliveredAt = now
      item.deliveries += 1
      replies.push(entryReply(entry))
    }
  }
  return replies
}

const following = (stream: Stream, after: Id, count: number): Array<Reply> => {
  const start = nextId(after)
  return start === undefined ? [] : stream.range(start, MAX, count)
}

type Position = Id | ">"

const startPosition = (db: Keyspace, key: string, text: string, options: ReadOptions, now: number): Position => {
  const stream = db.stream(key, now)
  if (options.group !== undefined) requireGroup(db, key, options.group, now, " in XREADGROUP with GROUP option")
  if (text === "$") {
    if (options.group === undefined) return stream?.lastId ?? ZERO
    throw new ReplyError(
      "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
    )
  }
  if (text === ">") {
    if (options.group !== undefined) return ">"
    throw new ReplyError(
      "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
    )
  }
  return strictId(text)
}

/** What a stream has for this read at once; undefined if nothing. */
const readNow = (db: Keyspace, key: string, position: Position, options: ReadOptions, now: number) => {
  const stream = db.stream(key, now)
  if (stream === undefined) return undefined
  const group = options.group === undefined ? undefined : stream.groups.get(options.group)
  const newest = stream.entries.last?.id
  if (group === undefined) {
    if (position === ">" || newest === undefined || compareIds(newest, position) <= 0) return undefined
    return following(stream, position, options.count)
  }
  const history = position !== ">"
  if (!history && (newest === undefined || compareIds(newest, group.lastId) <= 0)) return undefined
  // A read that gets nothing leaves no trace of its consumer (Redis 7.0).
  const consumer = visitConsumer(group, options.consumer, now)
  if (history) return ownHistory(stream, consumer, position, options.count, now)
  return handOut(stream, group, consumer, options, options.count, now)
}

/** What a waiting reader gets from a key that changed; undefined if it waits on. */
const readLate = (db: Keyspace, key: string, position: Position, options: ReadOptions, now: number) => {
  const isStream = db.type(key, now) === "stream"
  const stream = isStream ? db.stream(key, now) : undefined
  const count = options.count === 0 ? BLOCKED_COUNT : options.count
  if (stream === undefined) {
    return options.group === undefined ? undefined : new ReplyError("UNBLOCKED the stream key no longer exists")
  }
  if (options.group === undefined) {
    if (position === ">" || compareIds(stream.lastId, position) <= 0) return undefined
    return [[key, following(stream, position, count)]]
  }
  const group = stream.groups.get(options.group)
  if (group === undefined) {
    return new ReplyError("NOGROUP the consumer group this client was blocked on no longer exists")
  }
  if (compareIds(stream.lastId, group.lastId) <= 0) return undefined
  const consumer = visitConsumer(group, options.consumer, now)
  return [[key, handOut(stream, group, consumer, options, count, now)]]
}

const read = (db: Keyspace, args: ReadonlyArray<string>, now: number, inGroup: boolean): Reply | Blocked => {
  const options = parseRead(args, inGroup)
  const positions = options.ids.map((text, at) => startPosition(db, options.keys[at] ?? "", text, options, now))
  const found: Array<Reply> = []
  options.keys.forEach((key, at) => {
    const entries = readNow(db, key, positions[at] ?? ZERO, options, now)
    if (entries !== undefined) found.push([key, entries])
  })
  if (found.length > 0) return found
  if (options.block === undefined) return null
  return new Blocked(options.block, (settle) => ({
    keys: options.keys,
    attend: (key, later) => {
      const outcome = readLate(db, key, positions[options.keys.indexOf(key)] ?? ZERO, options, later)
      if (outcome === undefined) return false
      settle(outcome)
      return true
    }
  }))
}

const xread: Command<Reply | Blocked> = { arity: -4, run: (db, args, now) => read(db, args, now, false) }
const xreadgroup: Command<Reply | Blocked> = { arity: -7, run: (db, args, now) => read(db, args, now, true) }

export const readCommands = { XREAD: xread, XREADGROUP: xreadgroup }
