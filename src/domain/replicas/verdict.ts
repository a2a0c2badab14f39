/** How it goes, in words first: what a person who was woken up wants to know before any figure. */
import { instant } from "../events/instant.ts"
import { longSpan, shortSpan } from "../text/relativeTime.ts"
import type { ReplicaFigures } from "./replicaFigures.ts"

/** What is looked at; rates a second, undefined where they are not known (yet). */
export interface Situation {
  readonly now: number
  readonly replicas: ReadonlyArray<ReplicaFigures>
  /** What a rule pauses all deliveries until, for good where it has no end. */
  readonly pause: { readonly until?: number | undefined; readonly by: string } | undefined
  /** The rate that a rule limits all deliveries to. */
  readonly limit: { readonly perSecond: number; readonly name: string } | undefined
  /** Entries that no replica has read yet; undefined where Redis cannot tell. */
  readonly backlog: number | undefined
  readonly arriving: number | undefined
  readonly delivered: number
  /** Streams with entries and without the group that would read them. */
  readonly unread: ReadonlyArray<string>
  readonly abandoned: number
}

export interface Verdict {
  readonly level: "good" | "warning" | "bad"
  readonly text: string
}

const count = new Intl.NumberFormat("en-US")

const events = (n: number): string => `${count.format(n)} ${n === 1 ? "event" : "events"}`

const sum = <A>(all: ReadonlyArray<A>, of: (each: A) => number): number =>
  all.reduce((total, each) => total + of(each), 0)

/** A time of today by the clock alone. */
const clockTime = (at: number, now: number): string =>
  at - now < 86_400_000 ? `${instant(at).slice(11, 16)} UTC` : instant(at)

const inSeconds = (at: number, now: number): string => `in ${shortSpan(Math.max(0, at - now))}`

/** Whether it delivers nothing. */
const isStill = ({ circuit, status }: ReplicaFigures): boolean => circuit === "open" || status === "down"

/** Why nothing is read, by anybody. */
const standstill = ({ now, pause, replicas, unread }: Situation): string | undefined => {
  if (replicas.length === 0) return "no replica runs"
  if (pause !== undefined) {
    return pause.until === undefined
      ? `paused until it is lifted, by ${pause.by}`
      : `paused until ${clockTime(pause.until, now)}`
  }
  if (replicas.every(({ circuit }) => circuit === "open")) {
    const probe = Math.min(...replicas.map(({ next_probe_at }) => next_probe_at ?? Number.POSITIVE_INFINITY))
    return `the API's circuit is open${Number.isFinite(probe) ? `, next probe ${inSeconds(probe, now)}` : ""}`
  }
  if (replicas.every(({ waits_until }) => (waits_until ?? 0) > now)) {
    const soonest = Math.min(...replicas.map((replica) => replica.waits_until ?? 0))
    return `the API asked to wait for ${shortSpan(soonest - now)}`
  }
  if (replicas.every(({ status }) => status === "down")) return replicas[0]?.problems[0] ?? "every replica is down"
  return unread.length > 0 ? `${unread.join(", ")}: no group reads it` : undefined
}

/** What keeps deliveries from being more; undefined where nothing is seen to. */
const bottleneck = ({ delivered, limit, replicas }: Situation): string | undefined => {
  if (limit !== undefined && delivered >= 0.9 * limit.perSecond) return `the rule ${limit.name}`
  const working = replicas.filter((replica) => !isStill(replica))
  const inFlight = sum(working, (replica) => replica.in_flight)
  const permits = sum(working, (replica) => replica.permits)
  // A look now and then meets some of them between two requests.
  if (inFlight < 0.8 * permits) return undefined
  const slowest = Math.max(...working.map(({ api_p95_ms }) => api_p95_ms ?? 0))
  return `permits ${inFlight}/${permits}${slowest > 0 ? `, API p95 ${slowest} ms` : ""}`
}

/** What is read in about a second is no backlog. */
const isBacklog = (backlog: number, { delivered, replicas }: Situation): boolean =>
  backlog >
  Math.max(
    sum(replicas, ({ permits }) => permits),
    2 * delivered
  )

const flow = (situation: Situation): Verdict => {
  const { arriving, backlog, delivered } = situation
  if (backlog === undefined) return { level: "warning", text: "events are delivered; Redis cannot tell how many wait" }
  if (!isBacklog(backlog, situation)) return { level: "good", text: "keeping up" }
  const narrow = bottleneck(situation)
  const because = narrow === undefined ? "" : `; bottleneck: ${narrow}`
  if (delivered === 0) return { level: "bad", text: `${events(backlog)} wait and none is delivered${because}` }
  if (arriving === undefined) return { level: "warning", text: `${events(backlog)} wait${because}` }
  const gains = delivered - arriving
  if (gains <= 0.02 * delivered) {
    return {
      level: "bad",
      text: `backlog of ${events(backlog)} ${gains < -0.02 * delivered ? `grows by ${count.format(Math.round(-gains * 60))} a minute` : "does not shrink"}${because}`
    }
  }
  return { level: "warning", text: `backlog gone in ${spanOf(backlog / gains)}${because}` }
}

/** Seconds as people say them: `6 min`. */
const spanOf = (seconds: number): string => {
  if (seconds < 100) return `${Math.max(1, Math.round(seconds))} s`
  if (seconds < 6_000) return `${Math.round(seconds / 60)} min`
  return longSpan(seconds * 1_000)
}

/** What some replicas suffer and others do not. */
const someTrouble = ({ replicas }: Situation): string | undefined => {
  const bad = replicas.filter(isStill)
  const [first] = bad
  if (first === undefined) return undefined
  const what = first.circuit === "open" ? "its circuit is open" : (first.problems[0] ?? "it is down")
  return `${bad.length} of ${replicas.length} replicas ${bad.length === 1 ? "delivers" : "deliver"} nothing: ${first.consumer}: ${what}`
}

/** In words. Never good while something waits that nobody will read. */
export const verdictOf = (situation: Situation): Verdict => {
  const { abandoned, backlog = 0 } = situation
  const left = abandoned === 0 ? "" : `; ${events(abandoned)} ${abandoned === 1 ? "lies" : "lie"} abandoned`
  const stands = standstill(situation)
  if (stands !== undefined) {
    const waiting = backlog === 0 ? "" : `; ${events(backlog)} ${backlog === 1 ? "waits" : "wait"}`
    return { level: "bad", text: `nothing is read: ${stands}${waiting}${left}` }
  }
  const { level, text } = flow(situation)
  const some = someTrouble(situation)
  const found = some === undefined ? "" : `; ${some}`
  return {
    level: level === "good" && (left !== "" || found !== "") ? "warning" : level,
    text: `${text}${found}${left}`
  }
}
