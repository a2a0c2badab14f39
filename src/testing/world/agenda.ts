/** What is to happen, in order of time: binary heaps. */

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

class Heap {
  private readonly heap: Array<Appointment> = []

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

/** How far ahead what is near reaches, in microseconds. */
const reach = 600_000_000

/**
 * What is far off is kept apart: a year's faults are planned at its beginning, and would make dear what happens within
 * the next seconds, which is nearly everything.
 */
export class Agenda {
  private readonly near = new Heap()
  private readonly far = new Heap()
  /** What comes before is near, in microseconds. */
  private horizon = Number.NEGATIVE_INFINITY

  get first(): Appointment | undefined {
    if (this.near.first === undefined) this.approach()
    return this.near.first
  }

  add(appointment: Appointment): void {
    if (appointment.at < this.horizon) this.near.add(appointment)
    else this.far.add(appointment)
  }

  take(): Appointment | undefined {
    if (this.near.first === undefined) this.approach()
    return this.near.take()
  }

  private approach(): void {
    const { far, near } = this
    if (far.first === undefined) return
    this.horizon = far.first.at + reach
    for (let next = far.first; next !== undefined && next.at < this.horizon; next = far.first) {
      near.add(next)
      far.take()
    }
  }
}
