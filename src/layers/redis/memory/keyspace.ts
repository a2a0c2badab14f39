import { wrongType } from "./replies.ts"
import { type Group, Stream } from "./stream.ts"

type Value = Stream | Set<string> | Map<string, string> | string

/** What stands under a key. `expiresAt` in epoch milliseconds. */
interface Slot {
  readonly value: Value
  expiresAt: number | undefined
}

/** A read that waits for new entries (BLOCK). */
export interface Waiter {
  readonly keys: ReadonlyArray<string>
  /** Looks at a key that changed; true once the reader has its reply and waits no more. */
  readonly attend: (key: string, now: number) => boolean
}

/**
 * The keys of one server and the readers that wait on them. Keys lapse when they are next looked at, so a reader that
 * waits on a key with a time to live is not woken by its end.
 */
export class Keyspace {
  private readonly slots = new Map<string, Slot>()
  /** In order of arrival; arrays, since few wait at a time and each comes and goes again and again. */
  private readonly waiting = new Map<string, Array<Waiter>>()
  private readonly changed = new Set<string>()
  private waiters = 0
  /** Which commands the user may run (ACL): all of them, unless one says otherwise. */
  mayRun: (command: string, args: ReadonlyArray<string>) => boolean = () => true

  /** Readers that wait now. */
  get blocked(): number {
    return this.waiters
  }

  private slot(key: string, now: number): Slot | undefined {
    const slot = this.slots.get(key)
    if (slot?.expiresAt !== undefined && slot.expiresAt <= now) {
      this.delete(key)
      return undefined
    }
    return slot
  }

  has(key: string, now: number): boolean {
    return this.slot(key, now) !== undefined
  }

  keys(now: number): Array<string> {
    return [...this.slots.keys()].filter((key) => this.has(key, now))
  }

  type(key: string, now: number): "stream" | "set" | "hash" | "string" | "none" {
    const value = this.slot(key, now)?.value
    if (value === undefined) return "none"
    if (value instanceof Stream) return "stream"
    if (value instanceof Map) return "hash"
    return typeof value === "string" ? "string" : "set"
  }

  /** The string of a key, or null. */
  text(key: string, now: number): string | null {
    const value = this.slot(key, now)?.value
    if (value === undefined || typeof value === "string") return value ?? null
    throw wrongType()
  }

  /** The stream of a key, if there is one. */
  stream(key: string, now: number): Stream | undefined {
    const value = this.slot(key, now)?.value
    if (value === undefined || value instanceof Stream) return value
    throw wrongType()
  }

  /** The stream of a key, made where there is none. */
  streamOrNew(key: string, now: number): Stream {
    return this.stream(key, now) ?? this.create(key, new Stream())
  }

  /** The set of a key, if there is one. */
  set(key: string, now: number): Set<string> | undefined {
    const value = this.slot(key, now)?.value
    if (value === undefined || value instanceof Set) return value
    throw wrongType()
  }

  /** The set of a key, made where there is none. */
  setOrNew(key: string, now: number): Set<string> {
    return this.set(key, now) ?? this.create(key, new Set<string>())
  }

  /** The hash of a key, if there is one. */
  hash(key: string, now: number): Map<string, string> | undefined {
    const value = this.slot(key, now)?.value
    if (value === undefined || value instanceof Map) return value
    throw wrongType()
  }

  /** The hash of a key, made where there is none. */
  hashOrNew(key: string, now: number): Map<string, string> {
    return this.hash(key, now) ?? this.create(key, new Map<string, string>())
  }

  private create<V extends Value>(key: string, value: V): V {
    this.slots.set(key, { value, expiresAt: undefined })
    return value
  }

  group(key: string, name: string, now: number): Group | undefined {
    return this.stream(key, now)?.groups.get(name)
  }

  setText(key: string, value: string, expiresAt: number | undefined): void {
    this.slots.set(key, { value, expiresAt })
    this.touch(key)
  }

  /** When a key lapses: undefined for never, null where there is no such key. */
  expiry(key: string, now: number): number | undefined | null {
    const slot = this.slot(key, now)
    return slot === undefined ? null : slot.expiresAt
  }

  expireAt(key: string, at: number, now: number): void {
    const slot = this.slot(key, now)
    if (slot === undefined) return
    if (at <= now) this.delete(key)
    else slot.expiresAt = at
  }

  delete(key: string): boolean {
    if (!this.slots.delete(key)) return false
    this.touch(key)
    return true
  }

  /** Keeps the keys as they stand now; the function returned brings them back, as often as it is called. */
  snapshot(): () => void {
    const copyOf = (value: Value): Value => {
      if (value instanceof Stream) return value.copy()
      if (value instanceof Set) return new Set(value)
      return value instanceof Map ? new Map(value) : value
    }
    const copied = ({ expiresAt, value }: Slot): Slot => ({ value: copyOf(value), expiresAt })
    const kept = [...this.slots].map(([key, slot]) => [key, copied(slot)] as const)
    return () => {
      this.clear()
      for (const [key, slot] of kept) {
        this.slots.set(key, copied(slot))
        this.touch(key)
      }
    }
  }

  clear(): void {
    for (const key of this.slots.keys()) this.touch(key)
    this.slots.clear()
  }

  /** Notes that readers waiting on a key may have something to get once the command, or script, has ended. */
  touch(key: string): void {
    if ((this.waiting.get(key)?.length ?? 0) > 0) this.changed.add(key)
  }

  /** Serves the readers of every key that changed, in the order they came. */
  serve(now: number): void {
    if (this.changed.size === 0) return
    const keys = [...this.changed]
    this.changed.clear()
    for (const key of keys) {
      for (const waiter of [...(this.waiting.get(key) ?? [])]) {
        if (waiter.attend(key, now)) this.leave(waiter)
      }
    }
  }

  enter(waiter: Waiter): void {
    this.waiters += 1
    for (const key of waiter.keys) {
      const queue = this.waiting.get(key)
      if (queue === undefined) this.waiting.set(key, [waiter])
      else queue.push(waiter)
    }
  }

  leave(waiter: Waiter): void {
    let waited = false
    for (const key of waiter.keys) {
      const queue = this.waiting.get(key)
      const at = queue?.indexOf(waiter) ?? -1
      if (at < 0) continue
      queue?.splice(at, 1)
      waited = true
    }
    if (waited) this.waiters -= 1
  }
}

/** A command: takes its arguments (without its name), answers or throws a `ReplyError`. */
export interface Command<A> {
  /** Arguments with the name counted; negative: at least so many. */
  readonly arity: number
  readonly run: (db: Keyspace, args: ReadonlyArray<string>, now: number) => A
}
