/** Accounts for every event that was produced: none may be lost, none charged twice, none tried in two chains at once. */
import type { ReceivingApi } from "./receiving-api.ts"
import { abandoned, dlq, group, processing, transcribe } from "./streams.ts"

/** Sends one command to Redis. */
export type Call = (command: string, ...args: ReadonlyArray<string>) => Promise<unknown>

/** Where events are looked for. */
export interface Streams {
  readonly sources: ReadonlyArray<string>
  readonly dlqs: ReadonlyArray<string>
  readonly abandoned: ReadonlyArray<string>
  readonly group: string
}

export const defaultStreams: Streams = {
  sources: [transcribe, processing],
  dlqs: [dlq],
  abandoned: [abandoned],
  group
}

export interface Account {
  readonly produced: number
  readonly delivered: number
  /** Unread, pending, or in the DLQ. */
  readonly waiting: number
  /** Abandoned and never delivered, by reason. */
  readonly abandoned: Readonly<Record<string, number>>
  /** Gone from Redis itself, each with what took it. */
  readonly lostByRedis: ReadonlyArray<{ readonly eventId: string; readonly cause: string }>
  /** Nowhere, and nothing explains it. Must be empty. */
  readonly lost: ReadonlyArray<string>
  /** Charged more than once. Must be empty. */
  readonly chargedTwice: ReadonlyArray<string>
  /** Seen twice in the DLQ at a time: two chains of attempts. Must be empty. */
  readonly forked: ReadonlyArray<string>
}

type Entry = readonly [id: string, fields: ReadonlyArray<string>]

const orderOf = (id: string): readonly [number, number] => {
  const [time = "0", sequence = "0"] = id.split("-")
  return [Number(time), Number(sequence)]
}

const isAfter = (a: string, b: string): boolean => {
  const [aTime, aSequence] = orderOf(a)
  const [bTime, bSequence] = orderOf(b)
  return aTime > bTime || (aTime === bTime && aSequence > bSequence)
}

const fieldOf = (fields: ReadonlyArray<string>, name: string): string => {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1] ?? ""
  return ""
}

const page = 1_000

const entriesOf = async (call: Call, stream: string): Promise<ReadonlyArray<Entry>> => {
  const all: Array<Entry> = []
  for (let from = "-"; ; from = `(${all.at(-1)?.[0]}`) {
    const entries = (await call("XRANGE", stream, from, "+", "COUNT", `${page}`)) as ReadonlyArray<Entry>
    all.push(...entries)
    if (entries.length < page) return all
  }
}

const pendingOf = async (call: Call, stream: string, group: string): Promise<ReadonlySet<string>> => {
  const ids = new Set<string>()
  for (let from = "-"; ; ) {
    const pending = (await call("XPENDING", stream, group, from, "+", `${page}`)) as ReadonlyArray<[string]>
    for (const [id] of pending) ids.add(id)
    const last = pending.at(-1)
    if (last === undefined || pending.length < page) return ids
    from = `(${last[0]}`
  }
}

const lastDelivered = async (call: Call, stream: string, group: string): Promise<string> => {
  const infos = (await call("XINFO", "GROUPS", stream)) as ReadonlyArray<ReadonlyArray<string>>
  const info = infos.find((flat) => fieldOf(flat, "name") === group)
  return info === undefined ? "0-0" : fieldOf(info, "last-delivered-id")
}

/** The event ids of a stream's entries that carry their event under `event`, with the value of another field. */
const carried = async (call: Call, stream: string, beside: string): Promise<ReadonlyArray<readonly [string, string]>> =>
  (await entriesOf(call, stream)).map(([, fields]) => [
    String(JSON.parse(fieldOf(fields, "event")).event_id),
    fieldOf(fields, beside)
  ])

/** What was produced and what befell Redis meanwhile; `account` tells where everything is. */
export class Conservation {
  /** When each event was acknowledged by Redis, in epoch milliseconds. */
  readonly produced = new Map<string, number>()
  private readonly forked = new Set<string>()
  private readonly losses: Array<{ readonly at: number; readonly cause: string }> = []
  readonly streams: Streams

  constructor(streams: Streams = defaultStreams) {
    this.streams = streams
  }

  note(eventId: string): void {
    this.produced.set(eventId, Date.now())
  }

  /** Notes that Redis may have lost what it was given before now. */
  redisLost(cause: string): void {
    this.losses.push({ at: Date.now(), cause })
  }

  private explain(eventId: string): string | undefined {
    const at = this.produced.get(eventId) ?? 0
    return this.losses.find((loss) => at <= loss.at)?.cause
  }

  /** Where every event is at present. Meant for a time when nothing moves, or moves only towards delivery. */
  async account(call: Call, api: ReceivingApi): Promise<Account> {
    const { group } = this.streams
    const standing = new Set<string>()
    const waiting = new Set<string>()
    for (const stream of this.streams.sources) {
      const known = (await call("EXISTS", stream)) === 1
      if (!known) continue
      const pending = await pendingOf(call, stream, group).catch(() => new Set<string>())
      const last = await lastDelivered(call, stream, group)
      for (const [id, fields] of await entriesOf(call, stream)) {
        const eventId = fieldOf(fields, "event_id")
        standing.add(eventId)
        if (pending.has(id) || isAfter(id, last)) waiting.add(eventId)
      }
    }
    for (const eventId of await this.lookForForks(call)) waiting.add(eventId)
    const ended = new Map<string, string>()
    for (const stream of this.streams.abandoned) {
      for (const [eventId, end] of await carried(call, stream, "abandoned")) ended.set(eventId, JSON.parse(end).reason)
    }
    return this.sort(api, standing, waiting, ended)
  }

  /** Looks whether an event stands twice in the DLQ, which no entry's move brings about: what is in the DLQ. */
  async lookForForks(call: Call): Promise<ReadonlySet<string>> {
    const seen = new Set<string>()
    for (const dlq of this.streams.dlqs) {
      for (const [eventId] of await carried(call, dlq, "retry")) {
        if (seen.has(eventId)) this.forked.add(eventId)
        seen.add(eventId)
      }
    }
    return seen
  }

  private sort(
    api: ReceivingApi,
    standing: ReadonlySet<string>,
    waiting: ReadonlySet<string>,
    ended: ReadonlyMap<string, string>
  ): Account {
    let delivered = 0
    let waits = 0
    const abandoned: Record<string, number> = {}
    const lost: Array<string> = []
    const lostByRedis: Array<{ readonly eventId: string; readonly cause: string }> = []
    for (const eventId of this.produced.keys()) {
      const reason = ended.get(eventId)
      const cause = standing.has(eventId) ? undefined : this.explain(eventId)
      if (api.charges.has(eventId)) delivered += 1
      else if (waiting.has(eventId)) waits += 1
      else if (reason !== undefined) abandoned[reason] = (abandoned[reason] ?? 0) + 1
      else if (cause !== undefined) lostByRedis.push({ eventId, cause })
      else lost.push(eventId)
    }
    return {
      produced: this.produced.size,
      delivered,
      waiting: waits,
      abandoned,
      lostByRedis,
      lost,
      chargedTwice: [...api.charges].flatMap(([eventId, times]) => (times > 1 ? [eventId] : [])),
      forked: [...this.forked]
    }
  }
}

/** One line of an account. */
export const describeAccount = (account: Account): string => {
  const { abandoned, chargedTwice, delivered, forked, lost, lostByRedis, produced, waiting } = account
  const causes = new Map<string, number>()
  for (const { cause } of lostByRedis) causes.set(cause, (causes.get(cause) ?? 0) + 1)
  return [
    `produced ${produced}`,
    `delivered ${delivered}`,
    `waiting ${waiting}`,
    `abandoned ${JSON.stringify(abandoned)}`,
    `lost by Redis ${JSON.stringify(Object.fromEntries(causes))}`,
    `LOST ${lost.length}`,
    `charged twice ${chargedTwice.length}`,
    `forked ${forked.length}`
  ].join(", ")
}
