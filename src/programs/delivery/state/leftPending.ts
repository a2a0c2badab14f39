import { smallerId } from "../../../domain/events/streamId.ts"
import type { PartitionKey } from "../../../domain/traffic/isolation.ts"
import type { ConsumedStream } from "./consumedStream.ts"

/** One partition's entries of a DLQ that are held no more. */
interface Left {
  readonly partition: PartitionKey
  /** The first of them comes after this id. */
  from: string
}

/** So many partitions' are told apart. */
const mostPartitions = 1_000
/** How often those beyond are looked for, in milliseconds. */
const othersEveryMs = 60_000

/**
 * DLQ entries that wait for a partition, beyond those that there is room to hold: pending, and known to nobody but Redis. Of each
 * partition only from where on they lie is kept, so that a million of them cost no memory, and none is looked at before its
 * partition may go on.
 */
export class LeftPending {
  private readonly byStream = new Map<ConsumedStream, Map<string, Left>>()
  /** Of the partitions beyond those that are told apart: after which id, and when they were looked for. */
  private readonly others = new Map<ConsumedStream, { from: string; soughtAt: number }>()
  /** Those of which a stream is being read again. */
  private readonly reading = new Map<ConsumedStream, ReadonlyArray<Left>>()

  private of(stream: ConsumedStream): Map<string, Left> {
    const known = this.byStream.get(stream)
    if (known !== undefined) return known
    const made = new Map<string, Left>()
    this.byStream.set(stream, made)
    return made
  }

  /** Whether any entry of a partition is left. */
  has({ field, value }: PartitionKey): boolean {
    const key = `${field}=${value}`
    for (const left of this.byStream.values()) if (left.has(key)) return true
    return false
  }

  /** Whether any entry of a stream is left. */
  anyOf(stream: ConsumedStream): boolean {
    return (this.byStream.get(stream)?.size ?? 0) > 0
  }

  note(stream: ConsumedStream, partition: PartitionKey, from: string, now: number): void {
    const left = this.of(stream)
    const key = `${partition.field}=${partition.value}`
    const known = left.get(key)
    if (known !== undefined) known.from = smallerId(known.from, from)
    else if (left.size < mostPartitions) left.set(key, { partition, from })
    else {
      const others = this.others.get(stream)
      if (others === undefined) this.others.set(stream, { from, soughtAt: now })
      else others.from = smallerId(others.from, from)
    }
  }

  /** Where to read a stream again for what may go on by now; undefined where there is nothing. */
  begin(stream: ConsumedStream, now: number, mayGoOn: (partition: PartitionKey) => boolean): string | undefined {
    const left = this.byStream.get(stream)
    if (left === undefined || left.size === 0) return undefined
    const found = [...left.values()].filter(({ partition }) => mayGoOn(partition))
    for (const { partition } of found) left.delete(`${partition.field}=${partition.value}`)
    const starts = found.map(({ from }) => from)
    const others = this.others.get(stream)
    if (others !== undefined && now >= others.soughtAt + othersEveryMs) {
      starts.push(others.from)
      this.others.delete(stream)
    }
    const [first, ...rest] = starts
    if (first === undefined) return undefined
    this.reading.set(stream, found)
    return rest.reduce(smallerId, first)
  }

  /** Whether the reading again has come, at an id, to where it finds no more room for what it looks for. */
  isFull(stream: ConsumedStream, at: string, now: number): boolean {
    const reading = this.reading.get(stream)
    if (reading === undefined || !reading.some(({ partition }) => this.has(partition))) return false
    for (const { partition } of reading) this.note(stream, partition, at, now)
    this.reading.delete(stream)
    return true
  }

  /** The stream was read to its end. */
  end(stream: ConsumedStream): void {
    this.reading.delete(stream)
  }
}
