/** What is to happen, in order of time: a binary heap. */

/** Something that takes a turn of its process: refused once that is dead, put off while it is paused. */
export interface Turn {
  readonly take: (run: () => void) => void
}

/** One thing to happen. `tie` decides between things of one instant. */
export interface Appointment {
  /** Microseconds. */
  readonly at: number
  readonly tie: number
  readonly order: number
  /** Whose turn it is; undefined: the world's own. */
  readonly turn: Turn | undefined
  run: (() => void) | undefined
}

const before = (a: Appointment, b: Appointment): boolean =>
  a.at !== b.at ? a.at < b.at : a.tie !== b.tie ? a.tie < b.tie : a.order < b.order

export class Agenda {
  private readonly heap: Array<Appointment> = []

  get size(): number {
    return this.heap.length
  }

  get first(): Appointment | undefined {
    return this.heap[0]
  }

  add(appointment: Appointment): void {
    const { heap } = this
    let at = heap.length
    heap.push(appointment)
    while (at > 0) {
      const parent = (at - 1) >>> 1
      const above = heap[parent]
      if (above === undefined || !before(appointment, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = appointment
  }

  take(): Appointment | undefined {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      let below = heap[child]
      if (below === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && before(right, below)) {
        child += 1
        below = right
      }
      if (!before(below, last)) break
      heap[at] = below
      at = child
    }
    heap[at] = last
    return first
  }
}
