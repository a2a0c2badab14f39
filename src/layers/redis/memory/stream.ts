import { compareIds, formatId, type Id, ZERO } from "./ids.ts"
import { Ordered } from "./ordered.ts"
import type { Reply } from "./replies.ts"

/** Up to 100 entries that Redis keeps as one, which is what `~` trims as a whole. */
interface MacroNode {
  readonly index: number
  /** Entries it ever held, and the last of them, deleted or not. */
  added: number
  lastId: Id
  /** Entries it still holds. One without any may stay, and be appended to. */
  live: number
  dropped: boolean
}

/** An entry of a stream. */
export interface Entry {
  readonly id: Id
  readonly text: string
  readonly fields: ReadonlyArray<string>
  readonly node: MacroNode
}

/** An entry handed out and not acknowledged yet. Times in epoch milliseconds. */
export interface Pending {
  readonly id: Id
  readonly text: string
  consumer: Consumer
  deliveredAt: number
  deliveries: number
}

export interface Consumer {
  readonly name: string
  readonly pending: Ordered<Pending>
  seenAt: number
}

export interface Group {
  readonly name: string
  readonly pending: Ordered<Pending>
  readonly consumers: Map<string, Consumer>
  lastId: Id
  /** Entries read so far, counted from the first ever added; undefined where that cannot be told. */
  entriesRead: number | undefined
}

/** How a stream is cut: to a length, or to the entries from an id on. */
export interface Trim {
  readonly strategy: { readonly maxLength: number } | { readonly minId: Id }
  /** `~`: whole macro nodes only, and at most `limit` entries (0: any number). */
  readonly approximate: boolean
  readonly limit: number
}

export const NODE_ENTRIES = 100

/** A stream with its consumer groups: the data of one key. */
export class Stream {
  readonly entries = new Ordered<Entry>()
  readonly groups = new Map<string, Group>()
  lastId: Id = ZERO
  maxDeletedId: Id = ZERO
  entriesAdded = 0
  private node: MacroNode = { index: 0, added: 0, lastId: ZERO, live: 0, dropped: true }

  get firstId(): Id {
    return this.entries.first?.id ?? ZERO
  }

  /** Appends an entry; its id is above the last one. */
  append(id: Id, fields: ReadonlyArray<string>): string {
    if (this.node.added >= NODE_ENTRIES || this.node.dropped) {
      this.node = { index: this.node.index + 1, added: 0, lastId: id, live: 0, dropped: false }
    }
    this.node.added += 1
    this.node.live += 1
    this.node.lastId = id
    const text = formatId(id)
    this.entries.add({ id, text, fields, node: this.node })
    this.lastId = id
    this.entriesAdded += 1
    return text
  }

  /** Deletes an entry as XDEL does: the gap it leaves makes lags uncertain. */
  delete(id: Id): boolean {
    const entry = this.entries.remove(id)
    if (entry === undefined) return false
    entry.node.live -= 1
    entry.node.dropped = entry.node.live === 0
    if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = id
    return true
  }

  /** Cuts the stream at its head and returns how many entries went. */
  trim({ approximate, limit, strategy }: Trim): number {
    const { entries } = this
    let removed = 0
    const mayGo = (lastId: Id, count: number) =>
      "maxLength" in strategy ? entries.size - count >= strategy.maxLength : compareIds(lastId, strategy.minId) < 0
    for (let first = entries.first; first !== undefined; first = entries.first) {
      const going = approximate ? this.entriesOf(first.node) : [first]
      const lastId = approximate ? first.node.lastId : first.id
      if (!mayGo(lastId, going.length) || (limit > 0 && removed + going.length > limit)) break
      for (const { id } of going) entries.remove(id)
      removed += going.length
      first.node.live -= going.length
      first.node.dropped = first.node.live === 0 && mayGo(first.node.lastId, 0)
    }
    if (entries.size === 0 && "minId" in strategy && mayGo(this.node.lastId, 0)) this.node.dropped = true
    return removed
  }

  /** The entries of the first node. */
  private entriesOf(node: MacroNode): Array<Entry> {
    const { entries } = this
    const found: Array<Entry> = []
    for (let at = entries.begin; at < entries.end; at++) {
      const entry = entries.at(at)
      if (entry === undefined) continue
      if (entry.node !== node) break
      found.push(entry)
    }
    return found
  }

  /** The same stream as it stands now, changed by nothing that befalls this one. */
  copy(): Stream {
    const copied = new Stream()
    const nodes = new Map<MacroNode, MacroNode>()
    const nodeOf = (node: MacroNode): MacroNode => {
      const known = nodes.get(node) ?? { ...node }
      nodes.set(node, known)
      return known
    }
    for (const entry of this.entries) copied.entries.add({ ...entry, node: nodeOf(entry.node) })
    for (const group of this.groups.values()) copied.groups.set(group.name, copyGroup(group))
    copied.lastId = this.lastId
    copied.maxDeletedId = this.maxDeletedId
    copied.entriesAdded = this.entriesAdded
    copied.node = nodeOf(this.node)
    return copied
  }

  /** Entries of a range in order, as `[id, fields]`; `count` 0 means all. */
  range(start: Id, end: Id, count: number, reverse = false): Array<Reply> {
    const { entries } = this
    const found: Array<Reply> = []
    const from = entries.seek(start)
    if (!reverse) {
      for (let at = from; at < entries.end && (count === 0 || found.length < count); at++) {
        const entry = entries.at(at)
        if (entry === undefined) continue
        if (compareIds(entry.id, end) > 0) break
        found.push(entryReply(entry))
      }
      return found
    }
    for (let at = entries.seek(end); at >= from && (count === 0 || found.length < count); at--) {
      const entry = entries.at(at)
      if (entry !== undefined && compareIds(entry.id, end) <= 0) found.push(entryReply(entry))
    }
    return found
  }

  /** Makes a group, or returns undefined if there is one of that name. */
  createGroup(name: string, lastId: Id, entriesRead: number | undefined): Group | undefined {
    if (this.groups.has(name)) return undefined
    const group: Group = { name, pending: new Ordered(), consumers: new Map(), lastId, entriesRead }
    this.groups.set(name, group)
    return group
  }

  /** Moves a group's position on to an entry it just read, and its read counter where that can be told. */
  advance(group: Group, id: Id): void {
    if (compareIds(id, group.lastId) <= 0) return
    if (group.entriesRead !== undefined && !this.hasGapFrom(id)) group.entriesRead += 1
    else if (this.entriesAdded > 0) group.entriesRead = this.readsUpTo(id)
    group.lastId = id
  }

  /** Entries a group has not read yet, or null where gaps make that uncertain. */
  lag(group: Group): number | null {
    if (this.entriesAdded === 0) return 0
    if (group.entriesRead !== undefined && !this.hasGapFrom(group.lastId)) return this.entriesAdded - group.entriesRead
    const read = this.readsUpTo(group.lastId)
    return read === undefined ? null : this.entriesAdded - read
  }

  /** Whether an entry from this id on was deleted out of the middle. */
  private hasGapFrom(id: Id): boolean {
    if (this.entries.size === 0 || compareIds(this.maxDeletedId, ZERO) === 0) return false
    if (compareIds(this.firstId, this.maxDeletedId) > 0) return false
    return compareIds(id, this.maxDeletedId) <= 0
  }

  /** How many entries were ever added up to an id, where that can be told. */
  private readsUpTo(id: Id): number | undefined {
    if (this.entriesAdded === 0) return 0
    const toLast = compareIds(id, this.lastId)
    if (this.entries.size === 0 && toLast < 1) return this.entriesAdded
    if (toLast === 0) return this.entriesAdded
    if (toLast > 0) return undefined
    if (compareIds(this.maxDeletedId, ZERO) !== 0 && compareIds(this.maxDeletedId, this.firstId) >= 0) return undefined
    const toFirst = compareIds(id, this.firstId)
    if (toFirst < 0) return this.entriesAdded - this.entries.size
    return toFirst === 0 ? this.entriesAdded - this.entries.size + 1 : undefined
  }
}

const copyGroup = ({ consumers, entriesRead, lastId, name, pending }: Group): Group => {
  const copied: Group = { name, pending: new Ordered(), consumers: new Map(), lastId, entriesRead }
  for (const consumer of consumers.values()) visitConsumer(copied, consumer.name, consumer.seenAt)
  for (const item of pending) {
    const consumer = visitConsumer(copied, item.consumer.name, item.consumer.seenAt)
    const own: Pending = { ...item, consumer }
    copied.pending.add(own)
    consumer.pending.add(own)
  }
  return copied
}

/** An entry as a reply: `[id, [field, value, …]]`. */
export const entryReply = (entry: Entry): Reply => [entry.text, entry.fields.slice()]

/** The consumer of a name, made where it is missing, its seen time set to now. */
export const visitConsumer = (group: Group, name: string, now: number): Consumer => {
  const known = group.consumers.get(name)
  if (known !== undefined) {
    known.seenAt = now
    return known
  }
  const made: Consumer = { name, pending: new Ordered(), seenAt: now }
  group.consumers.set(name, made)
  return made
}

/** Hands an entry to a consumer, whoever had it. */
export const reassign = (pending: Pending, consumer: Consumer): void => {
  if (pending.consumer === consumer) return
  pending.consumer.pending.remove(pending.id)
  consumer.pending.add(pending)
  pending.consumer = consumer
}

/** Takes an entry off the pending ones. */
export const settle = (group: Group, id: Id): boolean => {
  const pending = group.pending.remove(id)
  if (pending === undefined) return false
  pending.consumer.pending.remove(id)
  return true
}

/** Names in the order Redis keeps them. */
export const byName = <T extends { readonly name: string }>(named: Map<string, T>): Array<T> =>
  [...named.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
