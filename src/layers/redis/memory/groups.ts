/** XGROUP, XACK and XPENDING. */
import { compareIds, type Id, ZERO } from "./ids.ts"
import type { Command, Keyspace } from "./keyspace.ts"
import {
  checkArity,
  integer,
  noGroup,
  noGroupForKey,
  type Reply,
  ReplyError,
  subcommandSyntax,
  syntaxError,
  unknownSubcommand
} from "./replies.ts"
import { byName, type Group, type Stream, settle, visitConsumer } from "./stream.ts"
import { idRange, strictId } from "./streams.ts"

/** The group a command names, or the NOGROUP error that stream commands answer with. */
export const requireGroup = (db: Keyspace, key: string, name: string, now: number, where?: string) => {
  const stream = db.stream(key, now)
  const group = stream?.groups.get(name)
  if (stream === undefined || group === undefined) throw noGroup(key, name, where)
  return { stream, group }
}

const keyMustExist = () =>
  new ReplyError(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
  )

const parseOptions = (subcommand: string, options: ReadonlyArray<string>) => {
  let makeStream = false
  let entriesRead: number | undefined
  for (let at = 0; at < options.length; at++) {
    const option = options[at]?.toLowerCase()
    if (subcommand === "CREATE" && option === "mkstream") {
      makeStream = true
    } else if (subcommand !== "DESTROY" && option === "entriesread" && at + 1 < options.length) {
      at += 1
      const given = integer(options[at])
      if (given < -1) throw new ReplyError("ERR value for ENTRIESREAD must be positive or -1")
      entriesRead = given === -1 ? undefined : given
    } else {
      throw subcommandSyntax("XGROUP", subcommand)
    }
  }
  return { makeStream, entriesRead }
}

const position = (text: string, stream: Stream | undefined): Id =>
  text === "$" ? (stream?.lastId ?? ZERO) : strictId(text)

const existing = (db: Keyspace, key: string, name: string, now: number): { stream: Stream; group: Group } => {
  const stream = db.stream(key, now)
  if (stream === undefined) throw keyMustExist()
  const group = stream.groups.get(name)
  if (group === undefined) throw noGroupForKey(key, name)
  return { stream, group }
}

type Subcommand = Command<Reply>

const create: Subcommand = {
  arity: -5,
  run: (db, [key = "", name = "", id = "", ...rest], now) => {
    const { entriesRead, makeStream } = parseOptions("CREATE", rest)
    const known = db.stream(key, now)
    if (known === undefined && !makeStream) throw keyMustExist()
    const lastId = position(id, known)
    const made = db.streamOrNew(key, now).createGroup(name, lastId, entriesRead)
    if (made === undefined) throw new ReplyError("BUSYGROUP Consumer Group name already exists")
    return "OK"
  }
}

const setId: Subcommand = {
  arity: -5,
  run: (db, [key = "", name = "", id = "", ...rest], now) => {
    const { entriesRead } = parseOptions("SETID", rest)
    const { group, stream } = existing(db, key, name, now)
    group.lastId = position(id, stream)
    group.entriesRead = entriesRead
    return "OK"
  }
}

const destroy: Subcommand = {
  arity: 4,
  run: (db, [key = "", name = ""], now) => {
    const stream = db.stream(key, now)
    if (stream === undefined) throw keyMustExist()
    if (!stream.groups.delete(name)) return 0
    db.touch(key)
    return 1
  }
}

const createConsumer: Subcommand = {
  arity: 5,
  run: (db, [key = "", name = "", consumer = ""], now) => {
    const { group } = existing(db, key, name, now)
    if (group.consumers.has(consumer)) return 0
    visitConsumer(group, consumer, now)
    return 1
  }
}

const deleteConsumer: Subcommand = {
  arity: 5,
  run: (db, [key = "", name = "", consumer = ""], now) => {
    const { group } = existing(db, key, name, now)
    const known = group.consumers.get(consumer)
    if (known === undefined) return 0
    const { pending } = known
    const dropped = pending.size
    for (let at = pending.begin; at < pending.end; at++) {
      const item = pending.at(at)
      if (item !== undefined) group.pending.remove(item.id)
    }
    group.consumers.delete(consumer)
    return dropped
  }
}

const subcommands: Readonly<Record<string, Subcommand>> = {
  CREATE: create,
  SETID: setId,
  DESTROY: destroy,
  CREATECONSUMER: createConsumer,
  DELCONSUMER: deleteConsumer
}

const xgroup: Command<Reply> = {
  arity: -2,
  run: (db, [name = "", ...args], now) => {
    const subcommand = subcommands[name.toUpperCase()]
    if (subcommand === undefined) throw unknownSubcommand("XGROUP", name)
    checkArity(`xgroup|${name}`, subcommand.arity, args.length + 2)
    return subcommand.run(db, args, now)
  }
}

const xack: Command<Reply> = {
  arity: -4,
  run: (db, [key = "", name = "", ...ids], now) => {
    const group = db.group(key, name, now)
    if (group === undefined) return 0
    const parsed = ids.map(strictId)
    return parsed.filter((id) => settle(group, id)).length
  }
}

const summary = (group: Group): Reply => {
  const { pending } = group
  if (pending.size === 0) return [0, null, null, null]
  const owners = byName(group.consumers).filter((consumer) => consumer.pending.size > 0)
  return [
    pending.size,
    pending.first?.text ?? null,
    pending.last?.text ?? null,
    owners.map((consumer) => [consumer.name, `${consumer.pending.size}`])
  ]
}

const xpending: Command<Reply> = {
  arity: -3,
  run: (db, args, now) => {
    const [key = "", name = ""] = args
    const given = args.length + 1
    if (given === 3) return summary(requireGroup(db, key, name, now).group)
    if (given < 6 || given > 9) throw syntaxError()
    const withIdle = args[2]?.toLowerCase() === "idle"
    const leastIdle = withIdle ? integer(args[3]) : 0
    if (withIdle && given < 8) throw syntaxError()
    const [first = "", last = "", countText, consumerName] = args.slice(withIdle ? 4 : 2)
    const count = Math.max(0, integer(countText))
    const [start, end] = idRange(first, last)
    const { group } = requireGroup(db, key, name, now)
    const pending = consumerName === undefined ? group.pending : group.consumers.get(consumerName)?.pending
    const found: Array<Reply> = []
    if (pending === undefined) return found
    for (let at = pending.seek(start); at < pending.end && found.length < count; at++) {
      const item = pending.at(at)
      if (item === undefined) continue
      if (compareIds(item.id, end) > 0) break
      const idle = now - item.deliveredAt
      if (leastIdle !== 0 && idle < leastIdle) continue
      found.push([item.text, item.consumer.name, Math.max(0, idle), item.deliveries])
    }
    return found
  }
}

export const groupCommands = { XGROUP: xgroup, XACK: xack, XPENDING: xpending }
