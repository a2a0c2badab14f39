import { ChangeSignal } from "../../redis/changeSignal.ts"
import { type ConsumedStream, isDlq } from "./consumedStream.ts"
import { type Due, type Held, type OwnedEntry, running, type Waiting } from "./ownedEntry.ts"

const before = (a: Held, b: Held): boolean => {
  if (a.due === b.due) return a.entry.deliveries < b.entry.deliveries
  return a.due === "first" || (b.due !== "first" && a.due < b.due)
}

/** A look at what Redis has pending in a stream: until it ends it is kept what this process forgets meanwhile. */
export interface PendingLook {
  readonly stream: ConsumedStream
  readonly forgotten: Set<string>
}

/** Everything this process owns: every entry by stream and id, and the held ones in order of due time. */
export class OwnedEntries {
  readonly changed = new ChangeSignal()
  private readonly byStream = new Map<ConsumedStream, Map<string, OwnedEntry>>()
  // Latest due first, so that the next one is popped off the end; equal ones keep their order of arrival.
  private readonly queue: Array<Held> = []
  private dlqHeld = 0
  /** Of those that wait for a partition. */
  private dlqWaiting = 0
  private sourceWaiting = 0
  private readonly looks = new Set<PendingLook>()

  constructor(consumedStreams: ReadonlyArray<ConsumedStream>) {
    for (const stream of consumedStreams) this.byStream.set(stream, new Map())
  }

  private of(stream: ConsumedStream): Map<string, OwnedEntry> {
    const known = this.byStream.get(stream)
    if (known !== undefined) return known
    const made = new Map<string, OwnedEntry>()
    this.byStream.set(stream, made)
    return made
  }

  has(stream: ConsumedStream, id: string): boolean {
    return this.of(stream).has(id)
  }

  get(stream: ConsumedStream, id: string): OwnedEntry | undefined {
    return this.of(stream).get(id)
  }

  entries(stream: ConsumedStream): ReadonlyArray<OwnedEntry> {
    return [...this.of(stream).values()]
  }

  /** The entry of a stream that was read first: maps keep the order in which their keys came. */
  firstRead(stream: ConsumedStream): OwnedEntry | undefined {
    return this.of(stream).values().next().value
  }

  get size(): number {
    let size = 0
    for (const entries of this.byStream.values()) size += entries.size
    return size
  }

  get held(): number {
    return this.queue.length + this.dlqWaiting + this.sourceWaiting
  }

  /** DLQ entries that wait, for whatever it is; running ones do not count. */
  get heldOfDlq(): number {
    return this.dlqHeld + this.dlqWaiting
  }

  /** Source entries that wait for nothing but a permit. */
  get heldOfSource(): number {
    return this.queue.length - this.dlqHeld
  }

  /** DLQ entries that wait for a partition. */
  get waitingOfDlq(): number {
    return this.dlqWaiting
  }

  /** Source entries that wait for a partition. */
  get waitingOfSource(): number {
    return this.sourceWaiting
  }

  /** Notes an entry that is worked on at once. */
  run(entry: OwnedEntry): void {
    entry.state = running
    this.of(entry.stream).set(entry.id, entry)
  }

  /** Notes an entry that waits until it is due. */
  hold(entry: OwnedEntry, due: Due): void {
    const held: Held = { _tag: "Held", entry, due }
    entry.state = held
    this.of(entry.stream).set(entry.id, entry)
    let low = 0
    let high = this.queue.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.queue[middle]
      if (other !== undefined && before(held, other)) low = middle + 1
      else high = middle
    }
    this.queue.splice(low, 0, held)
    if (isDlq(entry.stream)) this.dlqHeld += 1
    this.changed.notify()
  }

  /** Notes an entry that waits for a partition; which lists it among those that do. */
  wait(waiting: Waiting): void {
    const { entry } = waiting
    entry.state = waiting
    this.of(entry.stream).set(entry.id, entry)
    if (isDlq(entry.stream)) this.dlqWaiting += 1
    else this.sourceWaiting += 1
    this.changed.notify()
  }

  /** Notes that an entry, listed no more, does not wait for a partition any longer. */
  waitsNoMore({ stream }: OwnedEntry): void {
    if (isDlq(stream)) this.dlqWaiting -= 1
    else this.sourceWaiting -= 1
    this.changed.notify()
  }

  /** Changes when a held entry is due. */
  reschedule(entry: OwnedEntry, due: Due): void {
    if (entry.state._tag !== "Held") return
    const at = this.queue.indexOf(entry.state)
    if (at < 0) return
    this.queue.splice(at, 1)
    if (isDlq(entry.stream)) this.dlqHeld -= 1
    this.hold(entry, due)
  }

  /** The held entry that is due first. */
  peek(): Held | undefined {
    return this.queue.at(-1)
  }

  /** The held DLQ entry that is due last, of those that no step was refused for: found again, it would count as a hand-out. */
  latestOfDlq(): Held | undefined {
    return this.queue.find(({ entry }) => isDlq(entry.stream) && entry.refusals === 0)
  }

  /** Takes the entry that is due first off the hold, to run it. */
  pop(): OwnedEntry | undefined {
    const held = this.queue.pop()
    if (held === undefined) return undefined
    held.entry.state = running
    this.unheld(held.entry)
    return held.entry
  }

  /**
   * Begins to look at what Redis has pending. What is forgotten before the look ends was being worked on when Redis looked, or
   * may have been: how often it was handed out is more than what stands there by now.
   */
  beginLook(stream: ConsumedStream): PendingLook {
    const look = { stream, forgotten: new Set<string>() }
    this.looks.add(look)
    return look
  }

  endLook(look: PendingLook): void {
    this.looks.delete(look)
  }

  /** Forgets an entry: it is settled, another consumer's, or left pending. */
  remove(entry: OwnedEntry): void {
    if (this.looks.size > 0) {
      for (const { forgotten, stream } of this.looks) if (stream === entry.stream) forgotten.add(entry.id)
    }
    const entries = this.of(entry.stream)
    if (entries.get(entry.id) === entry) entries.delete(entry.id)
    if (entry.state._tag === "Waiting") {
      const { waiting } = entry.state.members
      const at = waiting.indexOf(entry.state)
      if (at < 0) return
      waiting.splice(at, 1)
      this.waitsNoMore(entry)
    }
    if (entry.state._tag !== "Held") return
    const at = this.queue.indexOf(entry.state)
    if (at < 0) return
    this.queue.splice(at, 1)
    this.unheld(entry)
  }

  private unheld(entry: OwnedEntry): void {
    if (isDlq(entry.stream)) this.dlqHeld -= 1
    this.changed.notify()
  }
}
