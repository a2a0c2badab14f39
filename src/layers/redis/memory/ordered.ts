import { compareIds, type Id } from "./ids.ts"

/**
 * Items in the order of their ids. Adding at the end, removing anywhere and reading either end take amortised constant
 * time, finding takes O(log n). Removed items leave gaps that are closed once they outnumber the items.
 *
 * Positions are valid until the next change.
 */
export class Ordered<T extends { readonly id: Id }> {
  private ids: Array<Id> = []
  private slots: Array<T | undefined> = []
  private head = 0
  private count = 0

  get size(): number {
    return this.count
  }

  get first(): T | undefined {
    return this.slots[this.head]
  }

  get last(): T | undefined {
    return this.slots[this.slots.length - 1]
  }

  /** Where positions start. */
  get begin(): number {
    return this.head
  }

  /** One past the last position. */
  get end(): number {
    return this.slots.length
  }

  /** The item at a position; undefined at a gap. */
  at(position: number): T | undefined {
    return this.slots[position]
  }

  /** The first position whose id is not below the given one. */
  seek(id: Id): number {
    const { ids } = this
    let low = this.head
    let high = ids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const there = ids[middle]
      if (there !== undefined && compareIds(there, id) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  get(id: Id): T | undefined {
    const position = this.seek(id)
    const there = this.ids[position]
    return there !== undefined && compareIds(there, id) === 0 ? this.slots[position] : undefined
  }

  /** Adds an item whose id is not there yet. */
  add(item: T): void {
    this.count += 1
    const last = this.ids[this.ids.length - 1]
    if (last === undefined || compareIds(last, item.id) < 0) {
      this.ids.push(item.id)
      this.slots.push(item)
      return
    }
    const position = this.seek(item.id)
    const there = this.ids[position]
    if (there !== undefined && compareIds(there, item.id) === 0) {
      this.slots[position] = item
    } else if (position === this.head && position > 0) {
      this.head -= 1
      this.ids[this.head] = item.id
      this.slots[this.head] = item
    } else {
      this.ids.splice(position, 0, item.id)
      this.slots.splice(position, 0, item)
    }
  }

  /** Removes and returns the item of an id. */
  remove(id: Id): T | undefined {
    const position = this.seek(id)
    const there = this.ids[position]
    if (there === undefined || compareIds(there, id) !== 0) return undefined
    const item = this.slots[position]
    if (item === undefined) return undefined
    this.slots[position] = undefined
    this.count -= 1
    this.closeGaps()
    return item
  }

  /** The items in order. */
  *[Symbol.iterator](): Iterator<T> {
    for (let position = this.head; position < this.slots.length; position++) {
      const item = this.slots[position]
      if (item !== undefined) yield item
    }
  }

  private closeGaps(): void {
    const { ids, slots } = this
    while (slots.length > this.head && slots[slots.length - 1] === undefined) {
      slots.pop()
      ids.pop()
    }
    while (this.head < slots.length && slots[this.head] === undefined) this.head += 1
    const gaps = slots.length - this.count
    if (this.count === 0) {
      this.ids = []
      this.slots = []
      this.head = 0
    } else if (gaps > 64 && gaps > this.count) {
      this.ids = ids.filter((_, position) => slots[position] !== undefined)
      this.slots = slots.filter((item) => item !== undefined)
      this.head = 0
    }
  }
}
