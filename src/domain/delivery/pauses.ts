/**
 * Pauses that the API asks for with a 429 and a `Retry-After` (contract section 5): of everything, or of the one partition
 * that it was about where others succeed.
 */
import type { PartitionKey, PartitionValues } from "../traffic/isolation.ts"

interface Pause {
  readonly partition: PartitionKey
  readonly values: PartitionValues
  readonly until: number
}

export class Pauses {
  private pauses: ReadonlyArray<Pause> = []

  get size(): number {
    return this.pauses.length
  }

  /** Until when an event's partitions are paused; undefined where none is. */
  of(values: PartitionValues, now: number): Pause | undefined {
    let longest: Pause | undefined
    for (const pause of this.pauses) {
      const { partition, until } = pause
      if (values[partition.field] === partition.value && until > (longest?.until ?? now)) longest = pause
    }
    return longest
  }

  /**
   * Takes in that an event was told to wait: the partition to pause, or undefined for everything. That is its narrowest;
   * where another of that field is paused already, the one that both share; and whichever it is, only while others succeed.
   */
  told(
    values: PartitionValues,
    until: number,
    now: number,
    othersSucceed: (partition: PartitionKey) => boolean
  ): PartitionKey | undefined {
    this.pauses = this.pauses.filter((pause) => pause.until > now)
    const field = values.findLastIndex((value) => value !== undefined)
    const value = values[field]
    if (value === undefined) return undefined
    const narrowest = { field, value }
    const another = this.pauses.find(({ partition }) => partition.field === field && partition.value !== value)
    const partition = another === undefined ? narrowest : sharedBy(values, another.values, field)
    if (partition === undefined || !othersSucceed(partition)) return undefined
    const isSame = (pause: Pause) =>
      pause.partition.field === partition.field && pause.partition.value === partition.value
    const before = this.pauses.find(isSame)
    const pause = before !== undefined && before.until > until ? before : { partition, values, until }
    this.pauses = [...this.pauses.filter((other) => other !== before), pause]
    return partition
  }
}

/** The narrowest partition beyond a field that two events share. */
const sharedBy = (a: PartitionValues, b: PartitionValues, field: number): PartitionKey | undefined => {
  for (let other = field - 1; other >= 0; other--) {
    const value = a[other]
    if (value !== undefined && value === b[other]) return { field: other, value }
  }
  return undefined
}
