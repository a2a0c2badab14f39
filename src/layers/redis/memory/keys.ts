/** Keys of any type: DEL, EXISTS, EXPIRE, PEXPIRE, PTTL, TYPE, KEYS, SCAN and FLUSHALL. */
import type { Command, Keyspace } from "./keyspace.ts"
import { integer, type Reply, ReplyError, syntaxError } from "./replies.ts"

const del: Command<Reply> = {
  arity: -2,
  run: (db, keys, now) => keys.filter((key) => db.has(key, now) && db.delete(key)).length
}

const exists: Command<Reply> = { arity: -2, run: (db, keys, now) => keys.filter((key) => db.has(key, now)).length }

/** EXPIRE and PEXPIRE: a time to live in units of so many milliseconds. */
const expire = (unit: 1 | 1_000): Command<Reply> => ({
  arity: -3,
  run: (db, [key = "", time, ...flags], now) => {
    const wanted = new Set<string>()
    for (const flag of flags) {
      const option = flag.toUpperCase()
      if (!["NX", "XX", "GT", "LT"].includes(option)) throw new ReplyError(`ERR Unsupported option ${flag}`)
      wanted.add(option)
    }
    if (wanted.has("NX") && wanted.size > 1) {
      throw new ReplyError("ERR NX and XX, GT or LT options at the same time are not compatible")
    }
    if (wanted.has("GT") && wanted.has("LT")) {
      throw new ReplyError("ERR GT and LT options at the same time are not compatible")
    }
    const at = now + integer(time) * unit
    const current = db.expiry(key, now)
    if (current === null) return 0
    const refused =
      (wanted.has("NX") && current !== undefined) ||
      (wanted.has("XX") && current === undefined) ||
      (wanted.has("GT") && (current === undefined || at <= current)) ||
      (wanted.has("LT") && current !== undefined && at >= current)
    if (refused) return 0
    db.expireAt(key, at, now)
    return 1
  }
})

const remaining = (db: Keyspace, key: string, now: number): number => {
  const end = db.expiry(key, now)
  if (end === null) return -2
  return end === undefined ? -1 : end - now
}

const pttl: Command<Reply> = { arity: 2, run: (db, [key = ""], now) => remaining(db, key, now) }

const type: Command<Reply> = { arity: 2, run: (db, [key = ""], now) => db.type(key, now) }

const literal = (char: string) => char.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&")

/** Redis's glob pattern (`*`, `?`, `[…]`, `[^…]`, backslash) as a test. */
export const matcher = (pattern: string): ((key: string) => boolean) => {
  let source = ""
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? ""
    const close = char === "[" ? pattern.indexOf("]", at + 1) : -1
    if (char === "*") source += "[^]*"
    else if (char === "?") source += "[^]"
    else if (close > at) {
      const inside = pattern.slice(at + 1, close)
      const negated = inside.startsWith("^")
      source += `[${negated ? "^" : ""}${(negated ? inside.slice(1) : inside).replace(/[\\\]^]/g, "\\$&")}]`
      at = close
    } else if (char === "\\" && at + 1 < pattern.length) source += literal(pattern[++at] ?? "")
    else source += literal(char)
  }
  const expression = new RegExp(`^${source}$`)
  return (key) => expression.test(key)
}

const keys: Command<Reply> = {
  arity: 2,
  run: (db, [pattern = ""], now) => db.keys(now).filter(matcher(pattern))
}

const scan: Command<Reply> = {
  arity: -2,
  run: (db, [cursor = "", ...options], now) => {
    if (!/^\d+$/.test(cursor)) throw new ReplyError("ERR invalid cursor")
    let matches: (key: string) => boolean = () => true
    let kind: string | undefined
    for (let at = 0; at < options.length; at += 2) {
      const option = options[at]?.toUpperCase()
      const value = options[at + 1]
      if (value === undefined) throw syntaxError()
      if (option === "MATCH") matches = matcher(value)
      else if (option === "TYPE") kind = value.toLowerCase()
      else if (option !== "COUNT" || integer(value) < 1) throw syntaxError()
    }
    // One pass shows every key, so that no cursor has to survive changes between calls.
    const found = db.keys(now).filter((key) => matches(key) && (kind === undefined || db.type(key, now) === kind))
    return ["0", found]
  }
}

const flushall: Command<Reply> = {
  arity: -1,
  run: (db, options) => {
    const option = options[0]?.toUpperCase()
    if (options.length > 1 || (option !== undefined && option !== "ASYNC" && option !== "SYNC")) throw syntaxError()
    db.clear()
    return "OK"
  }
}

export const keyCommands = {
  DEL: del,
  EXISTS: exists,
  EXPIRE: expire(1_000),
  PEXPIRE: expire(1),
  PTTL: pttl,
  TYPE: type,
  KEYS: keys,
  SCAN: scan,
  FLUSHALL: flushall
}
