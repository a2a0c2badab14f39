/** How the service fares: the glance that `top` has, and what only a page has room for. No stream is looked through. */
import { Clock, Effect } from "effect"
import type { Minute } from "../../domain/replicas/minutes.ts"
import type { Verdict } from "../../domain/replicas/verdict.ts"
import { shortSpan } from "../../domain/text/relativeTime.ts"
import type { EventStreams, StreamEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { FailedEntry } from "./failedEntry.ts"
import { type Glance, type Glanced, glance } from "./glance.ts"
import { minutes } from "./replicas.ts"

type Streams = EventStreams["Service"]

/** So many entries are looked at for what a stream's length does not say. */
const mostLookedAt = 200
const recentMs = 3_600_000
/** A retry that nobody has made so long after it was due is late. */
const overdueAfterMs = 60_000
/** Full at this share of its memory, Redis refuses whatever takes more. */
const nearlyFull = 0.9

export interface Memory {
  readonly used: number
  /** 0 where there is none. */
  readonly limit: number
}

export interface Overview extends Glance {
  /** The next attempt that is due, of the retries looked at, in epoch milliseconds. */
  readonly nextDue: number | undefined
  /** How many came to the abandoned streams within the last hour; `isMore` where they are more than were looked at. */
  readonly recent: { readonly count: number; readonly isMore: boolean }
  readonly memory: Memory | undefined
  /** What was counted by the minute, of so long as was asked for. */
  readonly minutes: ReadonlyArray<Minute>
}

const nextDueOf = (stream: string, entries: ReadonlyArray<StreamEntry>): number => {
  const due = entries.flatMap((entry) => new FailedEntry("dlq", stream, entry).said?.notBefore ?? [])
  return Math.min(...due)
}

const memoryOf = (info: ReadonlyMap<string, string>): Memory | undefined => {
  const used = Number(info.get("used_memory"))
  return Number.isFinite(used) ? { used, limit: Number(info.get("maxmemory") ?? 0) } : undefined
}

const memoryRemark = ({ limit, used }: Memory): ReadonlyArray<Verdict> =>
  limit > 0 && used >= nearlyFull * limit
    ? [
        {
          level: "bad",
          text: `Redis has used ${Math.round((100 * used) / limit)} % of its memory, and refuses writes when it is full`
        }
      ]
    : []

const overdueRemark = (nextDue: number, now: number): ReadonlyArray<Verdict> =>
  nextDue < now - overdueAfterMs
    ? [{ level: "warning", text: `retries are overdue by ${shortSpan(now - nextDue)}` }]
    : []

/** Looks at everything, and at the minutes of the last `spanMs`. */
export const overview = Effect.fnUntraced(function* (
  glanced: Glanced,
  spanMs: number,
  before?: Glance
): Effect.fn.Return<Overview, EventStreamsError> {
  const { observed, sets } = glanced
  const { streams } = observed
  const now = yield* Clock.currentTimeMillis
  const since = { from: `${Math.max(0, now - recentMs)}-0`, to: "+" }
  const found = yield* Effect.all(
    {
      due: Effect.forEach(sets, ({ dlq }) => dueIn(streams, dlq), { concurrency: "unbounded" }),
      recent: Effect.forEach(sets, (set) => streams.latest(set.abandoned, mostLookedAt, since), {
        concurrency: "unbounded"
      }),
      // What a user may not ask is left out.
      memory: Effect.match(streams.serverInfo, { onFailure: () => undefined, onSuccess: memoryOf }),
      minutes: minutes(observed, now - spanMs)
    },
    { concurrency: "unbounded" }
  )
  const nextDue = Math.min(...found.due)
  const { memory } = found
  const remarks = [...(memory === undefined ? [] : memoryRemark(memory)), ...overdueRemark(nextDue, now)]
  return {
    ...(yield* glance(glanced, before, remarks)),
    nextDue: Number.isFinite(nextDue) ? nextDue : undefined,
    recent: {
      count: found.recent.reduce((sum, { length }) => sum + length, 0),
      isMore: found.recent.some(({ length }) => length === mostLookedAt)
    },
    memory,
    minutes: found.minutes
  }
})

const dueIn = (streams: Streams, dlq: string): Effect.Effect<number, EventStreamsError> =>
  Effect.map(streams.range(dlq, "-", "+", mostLookedAt), (entries) => nextDueOf(dlq, entries))
