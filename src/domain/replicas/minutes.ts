/**
 * What all replicas of a group counted in each minute (contract section 8, Replicas). The counts of an hour lie in one hash,
 * whose fields are `<minute>:<stream label>:<what>`.
 */
import { instant } from "../events/instant.ts"

/** What is counted of a stream's events. */
export const counted = ["received", "delivered", "retried", "abandoned", "set_aside"] as const
export type Counted = (typeof counted)[number]
export type Counts = Record<Counted, number>

export const noCounts = (): Counts => ({ received: 0, delivered: 0, retried: 0, abandoned: 0, set_aside: 0 })

const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** So long counts are kept. */
export const minutesKeptMs = 24 * hourMs

/** The hour of a time, as its key names it: `2026-01-31T22`. */
export const hourOf = (at: number): string => instant(at).slice(0, 13)

/** The field of a minute's count. */
export const minuteField = (at: number, label: string, what: Counted): string =>
  `${instant(at).slice(14, 16)}:${label}:${what}`

/** The hours from one time to another, both included, each by its beginning. */
export const hoursBetween = (since: number, until: number): ReadonlyArray<number> => {
  const first = Math.floor(since / hourMs) * hourMs
  return Array.from({ length: Math.max(0, Math.floor((until - first) / hourMs) + 1) }, (_, n) => first + n * hourMs)
}

/** The counts of a minute, by the labels of the streams where something happened. */
export interface Minute {
  /** Its beginning, in epoch milliseconds. */
  readonly at: number
  readonly streams: ReadonlyMap<string, Counts>
}

const field = /^([0-5]\d):(.*):([a-z_]+)$/s
const isCounted = (name: string | undefined): name is Counted => counted.some((known) => known === name)

/** The minutes of an hour, in order; fields of another making are passed over. */
export const minutesOf = (hour: number, fields: ReadonlyMap<string, number>): ReadonlyArray<Minute> => {
  const minutes = new Map<number, Map<string, Counts>>()
  for (const [name, count] of fields) {
    const [, minute, label = "", what] = field.exec(name) ?? []
    if (!isCounted(what) || !Number.isSafeInteger(count)) continue
    const at = hour + Number(minute) * minuteMs
    const streams = minutes.get(at) ?? new Map<string, Counts>()
    minutes.set(at, streams)
    const counts = streams.get(label) ?? noCounts()
    streams.set(label, counts)
    counts[what] += count
  }
  return [...minutes].map(([at, streams]) => ({ at, streams })).toSorted((a, b) => a.at - b.at)
}
