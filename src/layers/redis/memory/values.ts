/** Strings and sets: SET, GET, SADD and SISMEMBER. */
import type { Command } from "./keyspace.ts"
import { integer, type Reply, ReplyError, syntaxError } from "./replies.ts"

type Lifetime = { readonly unit: 1 | 1_000; readonly value: string | undefined; readonly absolute: boolean }

const expiresAt = ({ absolute, unit, value }: Lifetime, now: number): number => {
  const given = integer(value)
  if (given <= 0) throw new ReplyError("ERR invalid expire time in 'set' command")
  return given * unit + (absolute ? 0 : now)
}

const LIFETIMES: Readonly<Record<string, Omit<Lifetime, "value">>> = {
  EX: { unit: 1_000, absolute: false },
  PX: { unit: 1, absolute: false },
  EXAT: { unit: 1_000, absolute: true },
  PXAT: { unit: 1, absolute: true }
}

const set: Command<Reply> = {
  arity: -3,
  run: (db, [key = "", value = "", ...options], now) => {
    let condition: "NX" | "XX" | undefined
    let keepTtl = false
    let get = false
    let lifetime: Lifetime | undefined
    for (let at = 0; at < options.length; at++) {
      const option = options[at]?.toUpperCase() ?? ""
      const known = LIFETIMES[option]
      if ((option === "NX" || option === "XX") && (condition === undefined || condition === option)) condition = option
      else if (option === "GET") get = true
      else if (option === "KEEPTTL" && lifetime === undefined) keepTtl = true
      else if (known !== undefined && lifetime === undefined && !keepTtl && at + 1 < options.length) {
        lifetime = { ...known, value: options[++at] }
      } else throw syntaxError()
    }
    const end = lifetime === undefined ? undefined : expiresAt(lifetime, now)
    const before = get ? db.text(key, now) : null
    if (condition !== undefined && db.has(key, now) !== (condition === "XX")) return before
    const kept = keepTtl ? (db.expiry(key, now) ?? undefined) : undefined
    db.setText(key, value, end ?? kept)
    return get ? before : "OK"
  }
}

const get: Command<Reply> = { arity: 2, run: (db, [key = ""], now) => db.text(key, now) }

const sadd: Command<Reply> = {
  arity: -3,
  run: (db, [key = "", ...members], now) => {
    const set = db.setOrNew(key, now)
    const before = set.size
    for (const member of members) set.add(member)
    return set.size - before
  }
}

const sismember: Command<Reply> = {
  arity: 3,
  run: (db, [key = "", member = ""], now) => (db.set(key, now)?.has(member) ? 1 : 0)
}

export const valueCommands = { SET: set, GET: get, SADD: sadd, SISMEMBER: sismember }
