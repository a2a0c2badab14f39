import { Signal } from "../../redis/changeSignal.ts"
import { isDlq, type Lane } from "./consumedStream.ts"
import type { Task } from "./ownedEntry.ts"

const before = (a: Task, b: Task): boolean => (a.dueAt !== b.dueAt ? a.dueAt < b.dueAt : a.deliveries < b.deliveries)

/** Everything this process owns: every task by stream and id, and the held ones in order of due time. */
export class Ledger {
  readonly changed = new Signal()
  private readonly byLane = new Map<Lane, Map<string, Task>>()
  // Latest due first, so that the next one is popped off the end; equal ones keep their order of arrival.
  private readonly queue: Array<Task> = []
  private dlqHeld = 0

  constructor(lanes: ReadonlyArray<Lane>) {
    for (const lane of lanes) this.byLane.set(lane, new Map())
  }

  private of(lane: Lane): Map<string, Task> {
    const known = this.byLane.get(lane)
    if (known !== undefined) return known
    const made = new Map<string, Task>()
    this.byLane.set(lane, made)
    return made
  }

  has(lane: Lane, id: string): boolean {
    return this.of(lane).has(id)
  }

  get(lane: Lane, id: string): Task | undefined {
    return this.of(lane).get(id)
  }

  tasks(lane: Lane): ReadonlyArray<Task> {
    return [...this.of(lane).values()]
  }

  get size(): number {
    let size = 0
    for (const tasks of this.byLane.values()) size += tasks.size
    return size
  }

  get held(): number {
    return this.queue.length
  }

  /** DLQ entries that wait; running ones do not count. */
  get heldOfDlq(): number {
    return this.dlqHeld
  }

  /** Notes a task that is worked on at once. */
  run(task: Task): void {
    task.state = "running"
    this.of(task.lane).set(task.id, task)
  }

  /** Notes a task that waits until it is due. */
  hold(task: Task): void {
    task.state = "held"
    this.of(task.lane).set(task.id, task)
    let low = 0
    let high = this.queue.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.queue[middle]
      if (other !== undefined && before(task, other)) low = middle + 1
      else high = middle
    }
    this.queue.splice(low, 0, task)
    if (isDlq(task.lane)) this.dlqHeld += 1
    this.changed.notify()
  }

  /** The held task that is due first. */
  peek(): Task | undefined {
    return this.queue.at(-1)
  }

  /** Takes the task that is due first off the hold, to run it. */
  pop(): Task | undefined {
    const task = this.queue.pop()
    if (task === undefined) return undefined
    this.unheld(task)
    task.state = "running"
    return task
  }

  /** Forgets a task: it is settled, or another consumer's. */
  remove(task: Task): void {
    const tasks = this.of(task.lane)
    if (tasks.get(task.id) === task) tasks.delete(task.id)
    if (task.state !== "held") return
    const at = this.queue.indexOf(task)
    if (at < 0) return
    this.queue.splice(at, 1)
    this.unheld(task)
  }

  private unheld(task: Task): void {
    if (isDlq(task.lane)) this.dlqHeld -= 1
    this.changed.notify()
  }
}
