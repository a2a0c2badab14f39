/** XCLAIM and XAUTOCLAIM. */

import { requireGroup } from "./groups.ts"
import { compareIds, type Id, parseId, ZERO } from "./ids.ts"
import type { Command } from "./keyspace.ts"
import { integer, type Reply, ReplyError, syntaxError } from "./replies.ts"
import { entryReply, type Pending, reassign, settle, visitConsumer } from "./stream.ts"
import { rangeEnd, strictId } from "./streams.ts"

/**
 * Redis refuses delivery times before 1970; the ambient clock may start there (TestClock), so here they may lie up to
 * ten years before it.
 */
const EARLIEST = -10 * 366 * 86_400_000

interface ClaimOptions {
  readonly deliveredAt: number
  readonly retryCount: number | undefined
  readonly force: boolean
  readonly justId: boolean
  readonly lastId: Id
}

const parseOptions = (options: ReadonlyArray<string>, now: number): ClaimOptions => {
  let asked: number | undefined
  let retryCount: number | undefined
  let force = false
  let justId = false
  let lastId = ZERO
  for (let at = 0; at < options.length; at++) {
    const text = options[at] ?? ""
    const option = text.toUpperCase()
    const more = at + 1 < options.length
    const value = (named: string) => integer(options[++at], () => invalidOption(named))
    if (option === "FORCE") force = true
    else if (option === "JUSTID") justId = true
    else if (option === "IDLE" && more) asked = now - value("IDLE")
    else if (option === "TIME" && more) asked = value("TIME")
    else if (option === "RETRYCOUNT" && more) retryCount = value("RETRYCOUNT")
    else if (option === "LASTID" && more) lastId = strictId(options[++at])
    else throw new ReplyError(`ERR Unrecognized XCLAIM option '${text}'`)
  }
  return {
    deliveredAt: asked === undefined || asked > now || asked < EARLIEST ? now : asked,
    retryCount: retryCount !== undefined && retryCount >= 0 ? retryCount : undefined,
    force,
    justId,
    lastId
  }
}

const invalidOption = (option: string) => new ReplyError(`ERR Invalid ${option} option argument for XCLAIM`)
const leastIdleOf = (text: string | undefined, command: string): number =>
  Math.max(
    0,
    integer(text, () => new ReplyError(`ERR Invalid min-idle-time argument for ${command}`))
  )

const xclaim: Command<Reply> = {
  arity: -6,
  run: (db, args, now) => {
    const [key = "", name = "", consumerName = "", least] = args
    const { group, stream } = requireGroup(db, key, name, now)
    const leastIdle = leastIdleOf(least, "XCLAIM")
    const ids: Array<Id> = []
    for (let at = 4; at < args.length; at++) {
      const id = parseId(args[at] ?? "")
      if (id === undefined) break
      ids.push(id)
    }
    const options = parseOptions(args.slice(4 + ids.length), now)
    if (compareIds(options.lastId, group.lastId) > 0) group.lastId = options.lastId

    const claimed: Array<Reply> = []
    for (const id of ids) {
      const entry = stream.entries.get(id)
      if (entry === undefined) {
        settle(group, id)
        continue
      }
      const known = group.pending.get(id)
      if (known === undefined && !options.force) continue
      if (known !== undefined && leastIdle > 0 && now - known.deliveredAt < leastIdle) continue
      const consumer = visitConsumer(group, consumerName, now)
      const pending: Pending = known ?? { id, text: entry.text, consumer, deliveredAt: now, deliveries: 1 }
      if (known === undefined) {
        group.pending.add(pending)
        consumer.pending.add(pending)
      } else {
        reassign(known, consumer)
      }
      pending.deliveredAt = options.deliveredAt
      if (options.retryCount !== undefined) pending.deliveries = options.retryCount
      else if (!options.justId) pending.deliveries += 1
      claimed.push(options.justId ? entry.text : entryReply(entry))
    }
    return claimed
  }
}

const xautoclaim: Command<Reply> = {
  arity: -6,
  run: (db, args, now) => {
    const [key = "", name = "", consumerName = "", least, startText = ""] = args
    const leastIdle = leastIdleOf(least, "XAUTOCLAIM")
    const start = rangeEnd(startText, "start")
    let count = 100
    let justId = false
    for (let at = 5; at < args.length; at++) {
      const option = args[at]?.toUpperCase()
      if (option === "COUNT" && at + 1 < args.length) {
        const tooSmall = () => new ReplyError("ERR COUNT must be > 0")
        at += 1
        count = integer(args[at], tooSmall)
        if (count < 1) throw tooSmall()
      } else if (option === "JUSTID") {
        justId = true
      } else {
        throw syntaxError()
      }
    }
    const { group, stream } = requireGroup(db, key, name, now)

    const { pending } = group
    const claimed: Array<Reply> = []
    const gone: Array<Pending> = []
    let scans = count * 10
    let at = pending.seek(start)
    for (; at < pending.end && scans > 0 && claimed.length + gone.length < count; at++) {
      const item = pending.at(at)
      if (item === undefined) continue
      scans -= 1
      const entry = stream.entries.get(item.id)
      if (entry === undefined) {
        gone.push(item)
        continue
      }
      if (leastIdle > 0 && now - item.deliveredAt < leastIdle) continue
      reassign(item, visitConsumer(group, consumerName, now))
      item.deliveredAt = now
      if (!justId) item.deliveries += 1
      claimed.push(justId ? entry.text : entryReply(entry))
    }
    let next = pending.at(at)
    while (next === undefined && at < pending.end) next = pending.at(++at)
    for (const item of gone) settle(group, item.id)
    return [next?.text ?? "0-0", claimed, gone.map((item) => item.text)]
  }
}

export const claimCommands = { XCLAIM: xclaim, XAUTOCLAIM: xautoclaim }
