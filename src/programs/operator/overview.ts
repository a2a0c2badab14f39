/** How the service fares, from what stands in Redis, and what that comes to in words. No stream is looked through. */
import { Clock, Effect } from "effect"
import { instant } from "../../domain/events/instant.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import { shortSpan } from "../../domain/text/relativeTime.ts"
import { type Rule, ruleName } from "../../domain/traffic/rules.ts"
import type { EventStreams, StreamEntry } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { currentRules } from "../traffic/controlTraffic.ts"
import { FailedEntry } from "./failedEntry.ts"

type Streams = EventStreams["Service"]

/** A consumer of a group that has tried to read within this time is at work. */
const activeWithinMs = 60_000
/** So many entries are looked at for what a stream's length does not say. */
const mostLookedAt = 200
const recentMs = 3_600_000

/** A stream that is read through a group: a source, or the DLQ. */
export interface ReadStream {
  readonly stream: string
  /** `dlq`, or the name of the kind whose stream it is. */
  readonly role: string
  readonly length: number
  readonly hasGroup: boolean
  /** Not read yet; undefined where Redis cannot tell. */
  readonly lag: number | undefined
  /** Read, and not ended. */
  readonly pending: number
  /** Replicas that read it. */
  readonly consumers: ReadonlyArray<{ readonly name: string; readonly pending: number; readonly idleMs: number }>
  /** Of the DLQ: the next attempt that is due, of those looked at. */
  readonly nextDue: number | undefined
}

export interface AbandonedStream {
  readonly stream: string
  readonly length: number
  /** When the oldest came, in epoch milliseconds. */
  readonly oldest: number | undefined
  /** How many came within the last hour; `isMore` where they are more than were looked at. */
  readonly recent: number
  readonly isMore: boolean
}

export interface Memory {
  readonly used: number
  /** 0 where there is none. */
  readonly limit: number
}

export interface Overview {
  readonly at: number
  readonly streams: ReadonlyArray<ReadStream>
  readonly abandoned: ReadonlyArray<AbandonedStream>
  readonly rules: ReadonlyArray<Rule>
  /** Why the rules that stand there cannot be read. */
  readonly rulesProblem: string | undefined
  readonly memory: Memory | undefined
  readonly verdict: Verdict
}

/** What the figures come to: `good` only where nothing waits that nobody reads. */
export interface Verdict {
  readonly state: "good" | "attention" | "bad"
  /** The worst first. */
  readonly sentences: ReadonlyArray<string>
}

const nextDueOf = (stream: string, entries: ReadonlyArray<StreamEntry>): number | undefined => {
  const due = entries.flatMap((entry) => new FailedEntry("dlq", stream, entry).said?.notBefore ?? [])
  return due.length === 0 ? undefined : Math.min(...due)
}

const readStream = Effect.fnUntraced(function* (
  streams: Streams,
  group: string,
  role: ReadStream["role"],
  stream: string
): Effect.fn.Return<ReadStream, EventStreamsError> {
  const info = yield* streams.streamInfo(stream)
  const known = info === undefined ? undefined : yield* streams.groupInfo(stream, group)
  const consumers = known === undefined ? [] : yield* streams.consumers(stream, group)
  const first = role === "dlq" && info !== undefined ? yield* streams.range(stream, "-", "+", mostLookedAt) : []
  return {
    stream,
    role,
    length: info?.length ?? 0,
    hasGroup: known !== undefined,
    lag: known === undefined ? info?.length : known.lag,
    pending: known?.pending ?? 0,
    consumers: consumers
      .filter(({ idle, pending }) => pending > 0 || idle < activeWithinMs)
      .map(({ idle, name, pending }) => ({ name, pending, idleMs: idle })),
    nextDue: nextDueOf(stream, first)
  }
})

const abandonedStream = Effect.fnUntraced(function* (
  streams: Streams,
  stream: string,
  now: number
): Effect.fn.Return<AbandonedStream, EventStreamsError> {
  const info = yield* streams.streamInfo(stream)
  if (info === undefined) return { stream, length: 0, oldest: undefined, recent: 0, isMore: false }
  const recent = yield* streams.latest(stream, mostLookedAt, { from: `${Math.max(0, now - recentMs)}-0`, to: "+" })
  return {
    stream,
    length: info.length,
    oldest: info.firstId === undefined || info.length === 0 ? undefined : timeOfId(info.firstId),
    recent: recent.length,
    isMore: recent.length === mostLookedAt
  }
})

const memoryOf = (info: ReadonlyMap<string, string>): Memory | undefined => {
  const used = Number(info.get("used_memory"))
  return Number.isFinite(used) ? { used, limit: Number(info.get("maxmemory") ?? 0) } : undefined
}

const counted = new Intl.NumberFormat("en-US")

const events = (count: number): string => `${counted.format(count)} ${count === 1 ? "event" : "events"}`

const isActive = ({ consumers }: ReadStream): boolean => consumers.some(({ idleMs }) => idleMs < activeWithinMs)

const ruleSentence = (rule: Rule): string =>
  rule.kind === "pause"
    ? `nothing is delivered: paused by ${rule.by} ${rule.until === undefined ? "until somebody resumes it" : `until ${instant(rule.until)}`}`
    : `${ruleName(rule)} is in force, set by ${rule.by}`

type Figures = Omit<Overview, "verdict">

/** Full at this share of its memory, Redis refuses whatever takes more. */
const nearlyFull = 0.9

const problemsOf = ({ memory, rules, rulesProblem, streams }: Figures): ReadonlyArray<string> => [
  ...rules.filter(({ kind }) => kind === "pause").map(ruleSentence),
  ...(memory !== undefined && memory.limit > 0 && memory.used >= nearlyFull * memory.limit
    ? [
        `Redis has used ${Math.round((100 * memory.used) / memory.limit)} % of its memory, and refuses writes when it is full`
      ]
    : []),
  ...(rulesProblem === undefined ? [] : ["the traffic rules cannot be read: replicas keep to those they knew before"]),
  ...streams.flatMap((stream) => {
    const waiting = (stream.lag ?? 0) + stream.pending
    if (waiting === 0 || isActive(stream)) return []
    return [
      stream.hasGroup
        ? `${events(waiting)} of ${stream.role} wait, and no replica has read for ${shortSpan(activeWithinMs)}`
        : `${events(waiting)} of ${stream.role} wait, and no consumer group reads them`
    ]
  })
]

const remarksOf = ({ abandoned, at, rules, streams }: Figures): ReadonlyArray<string> => [
  ...(streams.some(isActive) ? [] : ["no replica reads the streams"]),
  ...abandoned
    .filter(({ recent }) => recent > 0)
    .map(({ isMore, recent }) => `${isMore ? "more than " : ""}${events(recent)} abandoned in the last hour`),
  ...rules.filter(({ kind }) => kind !== "pause").map(ruleSentence),
  ...streams
    .filter(({ nextDue, role }) => role === "dlq" && nextDue !== undefined && nextDue < at - activeWithinMs)
    .map(({ nextDue }) => `retries are overdue by ${shortSpan(at - (nextDue ?? at))}`)
]

const waitingIn = (streams: ReadonlyArray<ReadStream>): number =>
  streams.reduce((sum, { lag, role }) => sum + (role === "dlq" ? 0 : (lag ?? 0)), 0)

const verdictOf = (figures: Figures): Verdict => {
  const problems = problemsOf(figures)
  const remarks = remarksOf(figures)
  const waiting = waitingIn(figures.streams)
  const unknown = figures.streams.some(({ lag, length, role }) => role !== "dlq" && lag === undefined && length > 0)
  const backlog =
    waiting > 0
      ? [`a backlog of ${events(waiting)} is being read`]
      : unknown
        ? ["Redis does not say how many events wait"]
        : ["keeping up: no event waits to be read"]
  if (problems.length > 0)
    return { state: "bad", sentences: [...problems, ...remarks, ...(waiting > 0 ? [] : backlog)] }
  if (remarks.length > 0) return { state: "attention", sentences: [...remarks, ...backlog] }
  return { state: "good", sentences: backlog }
}

export const overview = Effect.fnUntraced(function* (
  streams: Streams,
  group: string,
  sets: ReadonlyArray<KnownStreams>
): Effect.fn.Return<Overview, EventStreamsError> {
  const at = yield* Clock.currentTimeMillis
  const read = yield* Effect.forEach(
    sets.flatMap((set) => [...sourcesOf(set), ["dlq", set.dlq] as const]),
    ([role, stream]) => readStream(streams, group, role, stream)
  )
  const abandoned = yield* Effect.forEach(sets, (set) => abandonedStream(streams, set.abandoned, at))
  const { rules, unreadable } = yield* currentRules({ streams, stream: sets[0]?.transcribe ?? "", group })
  // What a user may not ask is left out.
  const memory = yield* Effect.match(streams.serverInfo, { onFailure: () => undefined, onSuccess: memoryOf })
  const figures = { at, streams: read, abandoned, rules, rulesProblem: unreadable, memory }
  return { ...figures, verdict: verdictOf(figures) }
})
