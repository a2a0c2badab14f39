/** Hashes: HSET, HINCRBY, HDEL and HGETALL. */
import type { Command } from "./keyspace.ts"
import { integer, type Reply, ReplyError, wrongArity } from "./replies.ts"

const hset: Command<Reply> = {
  arity: -4,
  run: (db, [key = "", ...pairs], now) => {
    if (pairs.length % 2 === 1) throw wrongArity("hset")
    const hash = db.hashOrNew(key, now)
    const before = hash.size
    for (let at = 0; at < pairs.length; at += 2) hash.set(pairs[at] ?? "", pairs[at + 1] ?? "")
    return hash.size - before
  }
}

const hincrby: Command<Reply> = {
  arity: 4,
  run: (db, [key = "", field = "", by], now) => {
    const added = integer(by)
    const value = integer(
      db.hash(key, now)?.get(field) ?? "0",
      () => new ReplyError("ERR hash value is not an integer")
    )
    const sum = value + added
    db.hashOrNew(key, now).set(field, `${sum}`)
    return sum
  }
}

const hdel: Command<Reply> = {
  arity: -3,
  run: (db, [key = "", ...fields], now) => {
    const hash = db.hash(key, now)
    const deleted = fields.filter((field) => hash?.delete(field) === true).length
    if (hash?.size === 0) db.delete(key)
    return deleted
  }
}

const hgetall: Command<Reply> = { arity: 2, run: (db, [key = ""], now) => [...(db.hash(key, now) ?? [])].flat() }

export const hashCommands = { HSET: hset, HINCRBY: hincrby, HDEL: hdel, HGETALL: hgetall }
