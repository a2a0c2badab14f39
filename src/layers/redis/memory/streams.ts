/** XADD, XLEN, XRANGE, XREVRANGE, XDEL and XTRIM. */
import {
  compareIds,
  generateId,
  generateSequence,
  type Id,
  MAX,
  nextId,
  parseBound,
  parseId,
  parseOpenSequence,
  previousId,
  ZERO
} from "./ids.ts"
import type { Command, Keyspace } from "./keyspace.ts"
import { integer, invalidId, type Reply, ReplyError, syntaxError, wrongArity } from "./replies.ts"
import { NODE_ENTRIES, type Stream, type Trim } from "./stream.ts"

/** An id in full or its milliseconds alone; `-` and `+` are refused. */
export const strictId = (text: string | undefined): Id => {
  const id = text === undefined ? undefined : parseId(text)
  if (id === undefined) throw invalidId()
  return id
}

/** The inclusive range that two ends, each `-`, `+`, an id or `(` and an id, mean. */
export const idRange = (start: string, end: string): readonly [Id, Id] => {
  const from = rangeEnd(start, "start")
  return [from, rangeEnd(end, "end")]
}

/** One inclusive end of a range. */
export const rangeEnd = (text: string, end: "start" | "end"): Id => {
  const bound = parseBound(text, end)
  if (bound === undefined) throw invalidId()
  if (!bound.exclusive) return bound.id
  const inclusive = end === "start" ? nextId(bound.id) : previousId(bound.id)
  if (inclusive === undefined) throw new ReplyError(`ERR invalid ${end} ID for the interval`)
  return inclusive
}

type NewId = "*" | { readonly openSequence: NonNullable<ReturnType<typeof parseOpenSequence>> } | Id

interface TrimOptions {
  readonly trim: Trim | undefined
  readonly makeStream: boolean
  /** XADD only: the id asked for, and where the fields start. */
  readonly id: NewId
  readonly fieldsFrom: number
}

const parseNewId = (text: string): NewId => {
  const openSequence = parseOpenSequence(text)
  return openSequence === undefined ? strictId(text) : { openSequence }
}

/** The options that XADD and XTRIM share, from the second argument on. */
const parseOptions = (args: ReadonlyArray<string>, command: "XADD" | "XTRIM"): TrimOptions => {
  const adds = command === "XADD"
  let strategy: Trim["strategy"] | undefined
  let approximate = false
  let limit: number | undefined
  let makeStream = true
  let id: NewId = "*"
  let at = 1
  for (; at < args.length; at++) {
    const text = args[at] ?? ""
    if (adds && text === "*") break
    const option = text.toLowerCase()
    const more = args.length - 1 - at
    if ((option === "maxlen" || option === "minid") && more > 0) {
      if (strategy !== undefined) {
        throw new ReplyError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
      }
      const sign = args[at + 1]
      approximate = more >= 2 && sign === "~"
      if (more >= 2 && (sign === "~" || sign === "=")) at += 1
      at += 1
      if (option === "maxlen") {
        const maxLength = integer(args[at])
        if (maxLength < 0) throw new ReplyError("ERR The MAXLEN argument must be >= 0.")
        strategy = { maxLength }
      } else {
        strategy = { minId: strictId(args[at]) }
      }
    } else if (option === "limit" && more > 0) {
      at += 1
      limit = integer(args[at])
      if (limit < 0) throw new ReplyError("ERR The LIMIT argument must be >= 0.")
    } else if (adds && option === "nomkstream") {
      makeStream = false
    } else if (adds) {
      id = parseNewId(text)
      break
    } else {
      throw syntaxError()
    }
  }
  if (strategy === undefined && limit !== undefined && limit > 0) {
    throw new ReplyError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
  }
  if (strategy === undefined && !adds) {
    throw new ReplyError("ERR syntax error, XTRIM must be called with MAXLEN or MINID")
  }
  if (limit !== undefined && !approximate) {
    throw new ReplyError("ERR syntax error, LIMIT cannot be used without the special ~ option")
  }
  const trim =
    strategy === undefined
      ? undefined
      : { strategy, approximate, limit: approximate ? (limit ?? 100 * NODE_ENTRIES) : 0 }
  return { trim, makeStream, id, fieldsFrom: at + 1 }
}

const newId = (stream: Stream, asked: NewId, now: number): Id | undefined => {
  if (asked === "*") return generateId(stream.lastId, now)
  return "openSequence" in asked ? generateSequence(stream.lastId, asked.openSequence) : asked
}

const xadd: Command<Reply> = {
  arity: -5,
  run: (db, args, now) => {
    const key = args[0] ?? ""
    const { fieldsFrom, id: asked, makeStream, trim } = parseOptions(args, "XADD")
    const fields = args.slice(fieldsFrom)
    if (fields.length < 2 || fields.length % 2 === 1) throw wrongArity("xadd")
    if (asked !== "*" && "ms" in asked && compareIds(asked, ZERO) === 0) {
      throw new ReplyError("ERR The ID specified in XADD must be greater than 0-0")
    }
    if (!makeStream && db.stream(key, now) === undefined) return null
    const stream = db.streamOrNew(key, now)
    if (compareIds(stream.lastId, MAX) === 0) {
      throw new ReplyError("ERR The stream has exhausted the last possible ID, unable to add more items")
    }
    const id = newId(stream, asked, now)
    if (id === undefined || compareIds(id, stream.lastId) <= 0) {
      throw new ReplyError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
    }
    const text = stream.append(id, fields)
    if (trim !== undefined) stream.trim(trim)
    db.touch(key)
    return text
  }
}

const xlen: Command<Reply> = {
  arity: 2,
  run: (db, [key = ""], now) => db.stream(key, now)?.entries.size ?? 0
}

const range = (db: Keyspace, args: ReadonlyArray<string>, now: number, reverse: boolean): Reply => {
  const [key = "", first = "", second = ""] = args
  const [start, end] = reverse ? idRange(second, first) : idRange(first, second)
  let count: number | undefined
  for (let at = 3; at < args.length; at += 2) {
    if (args[at]?.toLowerCase() !== "count" || at + 1 === args.length) throw syntaxError()
    count = Math.max(0, integer(args[at + 1]))
  }
  const stream = db.stream(key, now)
  if (stream === undefined) return []
  return count === 0 ? null : stream.range(start, end, count ?? 0, reverse)
}

const xrange: Command<Reply> = { arity: -4, run: (db, args, now) => range(db, args, now, false) }
const xrevrange: Command<Reply> = { arity: -4, run: (db, args, now) => range(db, args, now, true) }

const xdel: Command<Reply> = {
  arity: -3,
  run: (db, [key = "", ...ids], now) => {
    const stream = db.stream(key, now)
    if (stream === undefined) return 0
    const parsed = ids.map(strictId)
    return parsed.filter((id) => stream.delete(id)).length
  }
}

const xtrim: Command<Reply> = {
  arity: -4,
  run: (db, args, now) => {
    const { trim } = parseOptions(args, "XTRIM")
    const stream = db.stream(args[0] ?? "", now)
    return stream === undefined || trim === undefined ? 0 : stream.trim(trim)
  }
}

export const streamCommands = {
  XADD: xadd,
  XLEN: xlen,
  XRANGE: xrange,
  XREVRANGE: xrevrange,
  XDEL: xdel,
  XTRIM: xtrim
}
