/**
 * EVAL: a twin in this language for each of the project's Lua scripts, found by the name on the script's first line.
 * A twin calls the same commands in the same order as the Lua, so an error on the way leaves what the Lua would leave.
 * (Redis adds the script's SHA-1 and line to the error text; the twins do not.)
 */
import { takeTurn } from "../../../domain/alerts/turn.ts"
import { scriptName } from "../../../services/Scripts.ts"
import { integer, noPermission, type Reply, ReplyError, wrongArity } from "./replies.ts"

/** Runs one command on behalf of a script. */
export interface Call {
  (command: string, ...args: ReadonlyArray<string>): Reply
  /** Whether the user may run a command (`redis.acl_check_cmd`). */
  readonly mayRun: (command: string, ...args: ReadonlyArray<string>) => boolean
}

type Twin = (call: Call, keys: ReadonlyArray<string>, argv: ReadonlyArray<string>) => Reply

const list = (reply: Reply): ReadonlyArray<Reply> => (Array.isArray(reply) ? reply : [])
const text = (reply: Reply | undefined): string => `${reply ?? ""}`
const isEmpty = (reply: Reply): boolean => list(reply).length === 0

/** A flat reply of names and values, by name. */
const byField = (flat: Reply): ReadonlyMap<string, Reply> => {
  const items = list(flat)
  const fields = new Map<string, Reply>()
  for (let at = 0; at + 1 < items.length; at += 2) fields.set(text(items[at]), items[at + 1] ?? null)
  return fields
}

/** The pending record of an entry, if it is this consumer's: a list of one or none. */
const owned = (call: Call, stream: string, group: string, consumer: string, id: string): Reply =>
  call("XPENDING", stream, group, id, id, "1", consumer)

/** Raises what a script answers with where the user may not run a command on a key. */
const demand = (call: Call, command: string, key: string, ...args: ReadonlyArray<string>): void => {
  if (!call.mayRun(command, key, ...args)) throw noPermission(command, key)
}

const move: Twin = (call, [from = "", to = ""], [group = "", consumer = "", id = "", remove = "", ...fields]) => {
  if (isEmpty(owned(call, from, group, consumer, id))) return 0
  demand(call, "XADD", to, "*", "f", "v")
  demand(call, "XACK", from, group, id)
  if (remove === "1") demand(call, "XDEL", from, id)
  call("XADD", to, "*", ...fields)
  call("XACK", from, group, id)
  if (remove === "1") call("XDEL", from, id)
  return 1
}

const finish: Twin = (call, [stream = ""], [group = "", ...ids]) => {
  demand(call, "XACK", stream, group, ids[0] ?? "")
  demand(call, "XDEL", stream, ids[0] ?? "")
  const acknowledged = call("XACK", stream, group, ...ids)
  call("XDEL", stream, ...ids)
  return acknowledged
}

const conclude: Twin = (call, [stream = "", ...outcomes], [group = "", remove = "", ttl = "", ...pairs]) => {
  demand(call, "SET", outcomes[0] ?? "", "v", "PX", ttl)
  demand(call, "XACK", stream, group, pairs[0] ?? "")
  if (remove === "1") demand(call, "XDEL", stream, pairs[0] ?? "")
  call("XRANGE", stream, "0-0", "0-0")
  for (const [at, key] of outcomes.entries()) call("SET", key, pairs[2 * at + 1] ?? "", "PX", ttl)
  const ids = outcomes.map((_, at) => pairs[2 * at] ?? "")
  const acknowledged = call("XACK", stream, group, ...ids)
  if (remove === "1") call("XDEL", stream, ...ids)
  return acknowledged
}

const renew: Twin = (call, [stream = ""], [group = "", consumer = "", ...ids]) => {
  const lost: Array<string> = []
  const deleted: Array<string> = []
  for (const id of ids) {
    if (isEmpty(owned(call, stream, group, consumer, id))) lost.push(id)
    else if (isEmpty(call("XCLAIM", stream, group, consumer, "0", id, "JUSTID"))) deleted.push(id)
  }
  return [lost, deleted]
}

const adopt: Twin = (call, [stream = ""], [group = "", consumer = "", ...pairs]) => {
  const gone: Array<string> = []
  for (let at = 0; at < pairs.length; at += 2) {
    const id = pairs[at] ?? ""
    if (isEmpty(call("XRANGE", stream, id, id))) gone.push(id)
    else if (isEmpty(call("XPENDING", stream, group, id, id, "1"))) {
      call("XCLAIM", stream, group, consumer, "0", id, "RETRYCOUNT", pairs[at + 1] ?? "", "FORCE", "JUSTID")
    }
  }
  return gone
}

const take: Twin = (call, [stream = ""], [group = "", consumer = "", id = "", handOut = ""]) => {
  const [pending] = list(owned(call, stream, group, consumer, id))
  if (pending === undefined) return []
  const count = Math.max(Number(list(pending)[3]), Number(handOut))
  const [entry] = list(call("XRANGE", stream, id, id))
  call("XCLAIM", stream, group, consumer, "0", id, "RETRYCOUNT", `${count}`, "JUSTID")
  return entry === undefined ? [count] : [count, list(entry)[1] ?? null]
}

const release: Twin = (call, [stream = ""], [group = "", consumer = "", idle = "", ...pairs]) => {
  let released = 0
  for (let at = 0; at < pairs.length; at += 2) {
    const id = pairs[at] ?? ""
    if (isEmpty(owned(call, stream, group, consumer, id))) continue
    call("XCLAIM", stream, group, consumer, "0", id, "IDLE", idle, "RETRYCOUNT", pairs[at + 1] ?? "", "JUSTID")
    released += 1
  }
  return released
}

const lease: Twin = (call, [key = ""], [token = "", ttl = ""]) => {
  const holder = call("GET", key)
  if (holder !== null && holder !== token) return 0
  call("SET", key, token, "PX", ttl)
  return 1
}

const unlease: Twin = (call, [key = ""], [token = ""]) => {
  if (call("GET", key) !== token) return 0
  call("DEL", key)
  return 1
}

const retire: Twin = (call, [stream = ""], [group = "", name = "", leastIdle = ""]) => {
  for (const flat of list(call("XINFO", "CONSUMERS", stream, group))) {
    const consumer = byField(flat)
    const idle = Number(consumer.get("idle"))
    if (consumer.get("name") === name && consumer.get("pending") === 0 && idle >= Number(leastIdle)) {
      call("XGROUP", "DELCONSUMER", stream, group, name)
      return 1
    }
  }
  return 0
}

const replay: Twin = (call, [abandoned = "", origin = "", replayed = ""], [id = "", seconds = "", ...fields]) => {
  if (isEmpty(call("XRANGE", abandoned, id, id))) return null
  demand(call, "XADD", origin, "*", "f", "v")
  demand(call, "SADD", replayed, id)
  demand(call, "EXPIRE", replayed, seconds)
  demand(call, "XDEL", abandoned, id)
  call("SISMEMBER", replayed, id)
  const added = call("XADD", origin, "*", ...fields)
  call("SADD", replayed, text(added))
  call("EXPIRE", replayed, seconds)
  call("XDEL", abandoned, id)
  return added
}

const putBack: Twin = (call, [origin = "", replayed = ""], [seconds = "", ...fields]) => {
  demand(call, "XADD", origin, "*", "f", "v")
  demand(call, "SADD", replayed, seconds)
  demand(call, "EXPIRE", replayed, seconds)
  call("SISMEMBER", replayed, seconds)
  const added = call("XADD", origin, "*", ...fields)
  call("SADD", replayed, text(added))
  call("EXPIRE", replayed, seconds)
  return added
}

const halves = (id: string): readonly [bigint, bigint] => {
  const [ms = "", seq = "0"] = id.split("-")
  return [BigInt(ms), BigInt(seq)]
}

const less = (a: string, b: string): boolean => {
  const [aMs, aSeq] = halves(a)
  const [bMs, bSeq] = halves(b)
  return aMs < bMs || (aMs === bMs && aSeq < bSeq)
}

const largestHalf = 2n ** 64n - 1n

/** The smallest id past this one; the largest there is has none. */
const after = (id: string): string => {
  const [ms, seq] = halves(id)
  if (seq < largestHalf) return `${ms}-${seq + 1n}`
  return ms < largestHalf ? `${ms + 1n}-0` : id
}

const withdraw: Twin = (call, [dlq = ""], [group = "", id = "", until = "", ...fields]) => {
  if (isEmpty(call("XRANGE", dlq, id, id))) return "gone"
  demand(call, "XACK", dlq, group, id)
  demand(call, "XDEL", dlq, id)
  if (fields.length > 0) {
    demand(call, "XADD", dlq, "*", "f", "v")
    for (const flat of list(call("XINFO", "GROUPS", dlq))) {
      const info = byField(flat)
      const isRead = info.get("name") === group && !less(text(info.get("last-delivered-id")), id)
      if (isRead && isEmpty(call("XPENDING", dlq, group, id, id, "1"))) return "settled"
    }
    const [seconds, micros] = list(call("TIME"))
    if (Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) > Number(until)) return "due"
    call("XADD", dlq, "*", ...fields)
  }
  call("XACK", dlq, group, id)
  call("XDEL", dlq, id)
  return "done"
}

const trim: Twin = (call, [stream = ""], [floor = ""]) => {
  if (call("EXISTS", stream) === 0) return 0
  let least: string | undefined
  for (const flat of list(call("XINFO", "GROUPS", stream))) {
    const group = byField(flat)
    const pending = list(call("XPENDING", stream, text(group.get("name"))))
    const need = Number(pending[0]) > 0 ? text(pending[1]) : after(text(group.get("last-delivered-id")))
    if (least === undefined || less(need, least)) least = need
  }
  if (least === undefined) return 0
  if (floor !== "" && less(floor, least)) least = floor
  return call("XTRIM", stream, "MINID", "=", least)
}

const permissions: Twin = (call, _, argv) => {
  const denied: Array<number> = []
  for (let at = 0, n = 0; at < argv.length; n += 1) {
    const last = at + Number(argv[at])
    const [command = "", ...args] = argv.slice(at + 1, last + 1)
    if (!call.mayRun(command, ...args)) denied.push(n)
    at = last + 1
  }
  return denied
}

const swap: Twin = (call, [key = ""], [before = "", after = ""]) => {
  if ((call("GET", key) ?? "") !== before) return 0
  call("SET", key, after)
  return 1
}

const reserve: Twin = (call, [key = ""], argv) => {
  const [tokens = 0, micros = 0, capacity = 0] = argv.map(Number)
  const [seconds = 0, microseconds = 0] = list(call("TIME")).map(Number)
  const now = seconds * 1_000_000 + microseconds
  const most = capacity * 1_000_000
  const [, kept, at] = /^(-?\d+) (\d+)$/.exec(text(call("GET", key) ?? "")) ?? []
  const come = Math.floor((Math.max(0, now - Number(at)) * 1_000_000) / micros)
  const level = (kept === undefined ? most : Math.min(most, Number(kept) + come)) - tokens * 1_000_000
  const full = Math.ceil(((most - level) * micros) / 1_000_000_000) + 1_000
  call("SET", key, `${level} ${now}`, "PX", `${full}`)
  return Math.max(0, Math.ceil((-level * micros) / 1_000_000))
}

const turn: Twin = (call, [key = ""], [what = "", ...numbers]) => {
  const [count = 0, windowMs = 0, lastsMs = 0, counted = 0] = numbers.map(Number)
  const [seconds = 0, microseconds = 0] = list(call("TIME")).map(Number)
  const now = seconds * 1_000 + Math.floor(microseconds / 1_000)
  const [, at, left, told] = /^(\d+) (\d+) (.*)$/s.exec(text(call("GET", key) ?? "")) ?? []
  const before = told === undefined ? undefined : { at: Number(at), left: Number(left), what: told }
  const { answer, turn } = takeTurn(before, { what, count, windowMs, lastsMs, counted: counted === 1 }, now)
  if (answer._tag === "Same") return "same"
  const keeps = turn.at + Math.max(windowMs, lastsMs) + 60_000 - now
  call("SET", key, `${turn.at} ${turn.left} ${turn.what}`, "PX", `${keeps}`)
  return answer._tag === "Told" ? `told ${answer.count}` : `wait ${answer.ms}`
}

const report: Twin = (call, [figures = "", replicas = "", counts = ""], argv) => {
  const [name = "", ttl = "", text = "", countsTtl = "", ...pairs] = argv
  const [seconds = 0, microseconds = 0] = list(call("TIME")).map(Number)
  const now = seconds * 1_000 + Math.floor(microseconds / 1_000)
  const known = byField(call("HGETALL", replicas))
  demand(call, "SET", figures, "v", "PX", ttl)
  demand(call, "HSET", replicas, "f", "v")
  demand(call, "HDEL", replicas, "f")
  demand(call, "PEXPIRE", replicas, "60000")
  demand(call, "HINCRBY", counts, "f", "1")
  demand(call, "PEXPIRE", counts, countsTtl)
  for (let at = 0; at < pairs.length; at += 2) call("HINCRBY", counts, pairs[at] ?? "", pairs[at + 1] ?? "")
  if (pairs.length > 0) call("PEXPIRE", counts, countsTtl)
  call("SET", figures, text, "PX", ttl)
  for (const [other, until] of known) if (!(Number(until) > now)) call("HDEL", replicas, other)
  call("HSET", replicas, name, `${now + Number(ttl)}`)
  call("PEXPIRE", replicas, "60000")
  return 1
}

const twins: Readonly<Record<string, Twin>> = {
  move,
  finish,
  conclude,
  renew,
  adopt,
  take,
  release,
  lease,
  unlease,
  retire,
  replay,
  "put-back": putBack,
  withdraw,
  trim,
  permissions,
  swap,
  reserve,
  report,
  turn
}

/** Runs one of the project's scripts: the script's text, the number of keys, keys, arguments. */
export const evaluate = (call: Call, args: ReadonlyArray<string>): Reply => {
  const [lua = "", keyCount, ...rest] = args
  if (args.length < 2) throw wrongArity("eval")
  const count = integer(keyCount)
  if (count > rest.length) throw new ReplyError("ERR Number of keys can't be greater than number of args")
  if (count < 0) throw new ReplyError("ERR Number of keys can't be negative")
  const name = scriptName(lua)
  const twin = name === undefined ? undefined : twins[name]
  if (twin === undefined) {
    throw new ReplyError("ERR The memory engine runs no Lua, only this project's own scripts by their name")
  }
  return twin(call, rest.slice(0, count), rest.slice(count))
}
