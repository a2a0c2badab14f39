/** XINFO. */
import { formatId } from "./ids.ts"
import type { Command } from "./keyspace.ts"
import type { Ordered } from "./ordered.ts"
import {
  checkArity,
  integer,
  noGroupForKey,
  noSuchKey,
  type Reply,
  subcommandSyntax,
  unknownSubcommand
} from "./replies.ts"
import { byName, type Consumer, entryReply, type Group, type Pending, type Stream } from "./stream.ts"

const DEFAULT_COUNT = 10

const firstOf = (pending: Ordered<Pending>, count: number): Array<Pending> => {
  const found: Array<Pending> = []
  for (let at = pending.begin; at < pending.end && (count === 0 || found.length < count); at++) {
    const item = pending.at(at)
    if (item !== undefined) found.push(item)
  }
  return found
}

const head = (stream: Stream): Array<Reply> => {
  const { first, last, size } = stream.entries
  const nodes = first === undefined || last === undefined ? 0 : last.node.index - first.node.index + 1
  return [
    "length",
    size,
    "radix-tree-keys",
    nodes,
    "radix-tree-nodes",
    nodes + 1,
    "last-generated-id",
    formatId(stream.lastId),
    "max-deleted-entry-id",
    formatId(stream.maxDeletedId),
    "entries-added",
    stream.entriesAdded,
    "recorded-first-entry-id",
    formatId(stream.firstId)
  ]
}

const fullConsumer = (consumer: Consumer, count: number): Reply => [
  "name",
  consumer.name,
  "seen-time",
  consumer.seenAt,
  "pel-count",
  consumer.pending.size,
  "pending",
  firstOf(consumer.pending, count).map((item) => [item.text, item.deliveredAt, item.deliveries])
]

const fullGroup = (stream: Stream, group: Group, count: number): Reply => [
  "name",
  group.name,
  "last-delivered-id",
  formatId(group.lastId),
  "entries-read",
  group.entriesRead ?? null,
  "lag",
  stream.lag(group),
  "pel-count",
  group.pending.size,
  "pending",
  firstOf(group.pending, count).map((item) => [item.text, item.consumer.name, item.deliveredAt, item.deliveries]),
  "consumers",
  byName(group.consumers).map((consumer) => fullConsumer(consumer, count))
]

type Subcommand = Command<Reply>

const describe: Subcommand = {
  arity: -3,
  run: (db, [key = "", ...options], now) => {
    const stream = db.stream(key, now)
    if (stream === undefined) throw noSuchKey()
    const [full, countOption, countText] = options
    const wellFormed =
      full === undefined ||
      (full.toLowerCase() === "full" &&
        (options.length === 1 || (options.length === 3 && countOption?.toLowerCase() === "count")))
    if (!wellFormed) throw subcommandSyntax("XINFO", "STREAM")
    const count = countText === undefined ? DEFAULT_COUNT : integer(countText)
    const limit = count < 0 ? DEFAULT_COUNT : count
    if (full !== undefined) {
      const entries = firstEntries(stream, limit)
      const groups = byName(stream.groups).map((group) => fullGroup(stream, group, limit))
      return [...head(stream), "entries", entries, "groups", groups]
    }
    const { first, last } = stream.entries
    return [
      ...head(stream),
      "groups",
      stream.groups.size,
      "first-entry",
      first === undefined ? null : entryReply(first),
      "last-entry",
      last === undefined ? null : entryReply(last)
    ]
  }
}

const firstEntries = (stream: Stream, count: number): Array<Reply> => stream.range(stream.firstId, stream.lastId, count)

const groups: Subcommand = {
  arity: 3,
  run: (db, [key = ""], now) => {
    const stream = db.stream(key, now)
    if (stream === undefined) throw noSuchKey()
    return byName(stream.groups).map((group) => [
      "name",
      group.name,
      "consumers",
      group.consumers.size,
      "pending",
      group.pending.size,
      "last-delivered-id",
      formatId(group.lastId),
      "entries-read",
      group.entriesRead ?? null,
      "lag",
      stream.lag(group)
    ])
  }
}

const consumers: Subcommand = {
  arity: 4,
  run: (db, [key = "", name = ""], now) => {
    const stream = db.stream(key, now)
    if (stream === undefined) throw noSuchKey()
    const group = stream.groups.get(name)
    if (group === undefined) throw noGroupForKey(key, name)
    return byName(group.consumers).map((consumer) => [
      "name",
      consumer.name,
      "pending",
      consumer.pending.size,
      "idle",
      Math.max(0, now - consumer.seenAt)
    ])
  }
}

const subcommands: Readonly<Record<string, Subcommand>> = { STREAM: describe, GROUPS: groups, CONSUMERS: consumers }

const xinfo: Command<Reply> = {
  arity: -2,
  run: (db, [name = "", ...args], now) => {
    const subcommand = subcommands[name.toUpperCase()]
    if (subcommand === undefined) throw unknownSubcommand("XINFO", name)
    checkArity(`xinfo|${name}`, subcommand.arity, args.length + 2)
    return subcommand.run(db, args, now)
  }
}

export const infoCommands = { XINFO: xinfo }
