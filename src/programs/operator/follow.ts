/**
 * Follows events to their end by what Redis shows of them: who is pending, and what came to the DLQ and to the abandoned stream. An
 * entry that the group has read, that is pending no more and of which no copy came anywhere was acknowledged: its event ended well,
 * or somebody dropped it. Nothing is asked of the replicas.
 */
import { Effect, Stream } from "effect"
import { compareIds, greaterId, smallerId } from "../../domain/events/streamId.ts"
import type { KnownStreams } from "../../domain/options/knownStreams.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { FailedEntry, type Place } from "./failedEntry.ts"
import { scanPages } from "./scan.ts"

type Streams = EventStreams["Service"]

/** An event that is followed, and the entry that carries it now. */
export interface Followed {
  readonly eventId: string | undefined
  readonly stream: string
  readonly id: string
}

export type FollowedStep =
  | { readonly _tag: "Acknowledged"; readonly event: Followed }
  /** It came to the DLQ: an attempt failed, or it was set aside. */
  | { readonly _tag: "Waits"; readonly event: Followed; readonly entry: FailedEntry }
  | { readonly _tag: "Abandoned"; readonly event: Followed | undefined; readonly entry: FailedEntry }

const page = 1_000

/** By the event's own id, which all of its entries carry; one without is told by where it came from. */
const keyOf = (eventId: string | undefined, stream: string, id: string): string =>
  eventId === undefined ? `entry ${stream} ${id}` : `event ${eventId}`

const keyOfEntry = ({ eventId, id, said, stream }: FailedEntry): string =>
  keyOf(eventId, said?.originStream ?? stream, said?.originId ?? id)

export class Follower {
  private readonly streams: Streams
  private readonly group: string
  private readonly places: ReadonlyArray<readonly [place: Place, key: string]>
  private readonly followed = new Map<string, Followed>()
  /** Up to where the DLQ and the abandoned stream were looked through. */
  private readonly seen = new Map<string, string>()

  constructor(streams: Streams, group: string, sets: ReadonlyArray<KnownStreams>) {
    this.streams = streams
    this.group = group
    this.places = sets.flatMap((set) => [["dlq", set.dlq] as const, ["abandoned", set.abandoned] as const])
  }

  /** From when on copies are looked out for: to be run before any event is followed. */
  readonly begin: Effect.Effect<void, EventStreamsError> = Effect.suspend(() =>
    Effect.forEach(
      this.places,
      ([, key]) =>
        Effect.map(this.streams.streamInfo(key), (info) => this.seen.set(key, info?.lastGeneratedId ?? "0-0")),
      { discard: true }
    )
  )

  get size(): number {
    return this.followed.size
  }

  follow(event: Followed, origin: { readonly stream: string; readonly id: string } = event): void {
    this.followed.set(keyOf(event.eventId, origin.stream, origin.id), event)
  }

  /** What happened since it was last asked. */
  readonly look: Effect.Effect<ReadonlyArray<FollowedStep>, EventStreamsError> = Effect.suspend(() => this.lookNow())

  private readonly lookNow = Effect.fnUntraced(function* (this: Follower) {
    const ended = yield* this.endedEntries()
    const happened: Array<FollowedStep> = []
    for (const [place, key] of this.places) {
      const from = this.seen.get(key) ?? "0-0"
      yield* Stream.runForEach(scanPages(this.streams, key, { from }), (entries) =>
        Effect.sync(() => {
          for (const entry of entries) {
            if (entry.id === from) continue
            this.seen.set(key, entry.id)
            this.noteCopy(new FailedEntry(place, key, entry), happened)
          }
        })
      )
    }
    for (const [key, event] of ended) {
      // Where a copy came meanwhile, it is the copy that is followed.
      if (this.followed.get(key) !== event) continue
      this.followed.delete(key)
      happened.push({ _tag: "Acknowledged", event })
    }
    return happened
  })

  private noteCopy(entry: FailedEntry, happened: Array<FollowedStep>): void {
    const key = keyOfEntry(entry)
    const event = this.followed.get(key)
    if (entry.place === "abandoned") {
      this.followed.delete(key)
      happened.push({ _tag: "Abandoned", event, entry })
    } else {
      const moved = { eventId: entry.eventId, stream: entry.stream, id: entry.id }
      if (event !== undefined) this.followed.set(key, moved)
      happened.push({ _tag: "Waits", event: event ?? moved, entry })
    }
  }

  /** Those whose entry was read and is pending no more. */
  private readonly endedEntries = Effect.fnUntraced(function* (this: Follower) {
    const ended: Array<readonly [key: string, event: Followed]> = []
    for (const [stream, all] of Map.groupBy(this.followed, ([, event]) => event.stream)) {
      const info = yield* this.streams.groupInfo(stream, this.group)
      const read = all.filter(([, { id }]) => info !== undefined && compareIds(id, info.lastDeliveredId) <= 0)
      const [first] = read
      if (first === undefined) continue
      const ids = read.map(([, { id }]) => id)
      const pending = yield* this.pendingBetween(stream, ids.reduce(smallerId), ids.reduce(greaterId))
      ended.push(...read.filter(([, { id }]) => !pending.has(id)))
    }
    return ended
  })

  private readonly pendingBetween = Effect.fnUntraced(function* (
    this: Follower,
    stream: string,
    from: string,
    to: string
  ): Effect.fn.Return<ReadonlySet<string>, EventStreamsError> {
    const pending = new Set<string>()
    for (let at = from; ; ) {
      const ids: ReadonlyArray<string> = yield* this.streams.pendingIds(stream, this.group, at, to, page)
      for (const id of ids) pending.add(id)
      const last = ids.at(-1)
      if (last === undefined || ids.length < page || last === to) return pending
      at = `(${last}`
    }
  })
}
