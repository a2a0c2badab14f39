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
  /** Streams whose group is there and whose entries wait, and that no replica has read for a minute. */
  readonly unattended: ReadonlyArray<string>
  readonly abandoned: number
  /** What else was found, the worst first. */
  readonly remarks: ReadonlyArray<Verdict>
}

const levels = ["good", "warning", "bad"] as const

export interface Verdict {
  readonly level: (typeof levels)[number]
  readonly text: string
}

const worst = (verdicts: ReadonlyArray<Pick<Verdict, "level">>): Verdict["level"] =>
  levels[Math.max(0, ...verdicts.map(({ level }) => levels.indexOf(level)))] ?? "bad"

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

/** In how many seconds the backlog is gone at the present rates; undefined where it does not shrink, or that is not known. */
export const secondsToClear = ({
  arriving,
  backlog,
  delivered
}: Pick<Situation, "arriving" | "backlog" | "delivered">): number | undefined => {
  if (arriving === undefined || backlog === undefined) return undefined
  const gains = delivered - arriving
  return gains > 0.02 * delivered ? backlog / gains : undefined
}

const flow = (situation: Situation): Verdict => {
  const { arriving, backlog, delivered } = situation
  if (backlog === undefined) return { level: "warning", text: "events are delivered; Redis cannot tell how many wait" }
  if (!isBacklog(backlog, situation)) return { level: "good", text: "keeping up" }
  const narrow = bottleneck(situation)
  const because = narrow === undefined ? "" : `; bottleneck: ${narrow}`
  if (delivered === 0) return { level: "bad", text: `${events(backlog)} wait and none is delivered${because}` }
  if (arriving === undefined) return { level: "warning", text: `${events(backlog)} wait${because}` }
  const gains = delivered - arriving
  const seconds = secondsToClear(situation)
  if (seconds === undefined) {
    return {
      level: "bad",
      text: `backlog of ${events(backlog)} ${gains < -0.02 * delivered ? `grows by ${count.format(Math.round(-gains * 60))} a minute` : "does not shrink"}${because}`
    }
  }
  return { level: "warning", text: `backlog gone in ${spanOf(seconds)}${because}` }
}

/** Seconds as people say them: `6 min`. */
export const spanOf = (seconds: number): string => {
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
  const { abandoned, backlog = 0, unattended } = situation
  const left = abandoned === 0 ? "" : `; ${events(abandoned)} ${abandoned === 1 ? "lies" : "lie"} abandoned`
  const stands = standstill(situation)
  if (stands !== undefined) {
    const waiting = backlog === 0 ? "" : `; ${events(backlog)} ${backlog === 1 ? "waits" : "wait"}`
    return together({ level: "bad", text: `nothing is read: ${stands}${waiting}${left}` }, situation.remarks)
  }
  const { level, text } = flow(situation)
  const some = someTrouble(situation)
  const found = some === undefined ? "" : `; ${some}`
  const lonely =
    unattended.length === 0
      ? []
      : [{ level: "bad", text: `events wait in ${unattended.join(", ")}, which no replica reads` } as const]
  return together(
    {
      level: level === "good" && (left !== "" || found !== "") ? "warning" : level,
      text: `${text}${found}${left}`
    },
    [...lonely, ...situation.remarks]
  )
}

/** With what else was found: before it where that is worse. */
const together = (verdict: Verdict, remarks: ReadonlyArray<Verdict>): Verdict => {
  const isWorse = ({ level }: Verdict) => levels.indexOf(level) > levels.indexOf(verdict.level)
  const all = [...remarks.filter(isWorse), verdict, ...remarks.filter((remark) => !isWorse(remark))]
  return { level: worst(all), text: all.map(({ text }) => text).join("; ") }
}
