/** What each traffic rule holds back now: asked of Redis's figures and the replicas', and of so much of the DLQ as is let. */
import { Effect, Stream } from "effect"
import { sourcesOf } from "../../domain/options/knownStreams.ts"
import { type Park, type Rule, type Rules, ruleName } from "../../domain/traffic/rules.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { FailedEntry } from "./failedEntry.ts"
import type { Glanced } from "./glance.ts"
import { replicas } from "./replicas.ts"
import { scanPages } from "./scan.ts"

export interface HeldBack {
  readonly rule: Rule
  /** How many events wait because of it; undefined where Redis cannot tell. */
  readonly count: number | undefined
  /** Whether there may be more: not all that waits was looked at. */
  readonly isMore: boolean
}

/** How far was looked for what is parked. */
export interface HeldBackAll {
  readonly rules: ReadonlyArray<HeldBack>
  /** Entries of the DLQ that were looked at, the latest first; 0 where nothing is parked. */
  readonly looked: number
}

/** What has come and has not ended: a pause holds it all, a limit all beyond what it lets through. */
const waitingInAll = ({ observed: { group, streams }, sets }: Glanced) =>
  Effect.map(
    Effect.forEach(
      sets.flatMap((set) => [...sourcesOf(set).map(([, stream]) => stream), set.dlq]),
      (stream) =>
        Effect.zipWith(streams.groupInfo(stream, group), streams.streamInfo(stream), (known, info) => ({
          known,
          info
        })),
      { concurrency: "unbounded" }
    ),
    (all) =>
      all.reduce<number | undefined>((sum, { info, known }) => {
        const unread = known === undefined ? (info?.length ?? 0) : known.lag
        return sum === undefined || unread === undefined ? undefined : sum + unread + (known?.pending ?? 0)
      }, 0)
  )

/** Counts what stands in the DLQs for parked partitions, the latest first. */
const parkedInDlq = Effect.fnUntraced(function* (
  { observed: { streams }, sets }: Glanced,
  parks: ReadonlyArray<Park>,
  most: number
) {
  const counts = new Map<Rule, number>(parks.map((rule) => [rule, 0]))
  let looked = 0
  let isWhole = true
  for (const { dlq } of sets) {
    yield* Stream.runForEachWhile(scanPages(streams, dlq, {}, "newest first"), (page) => {
      for (const entry of page) {
        const failed = new FailedEntry("dlq", dlq, entry)
        if (failed.said?.reason !== "parked") continue
        const rule = parks.find(({ field, value }) => failed.value(field) === value)
        if (rule !== undefined) counts.set(rule, (counts.get(rule) ?? 0) + 1)
      }
      looked += page.length
      isWhole &&= looked < most
      return Effect.succeed(isWhole)
    })
  }
  return { counts, looked, isWhole }
})

/** Looks at about `most` entries of the DLQ at most. */
export const heldBack = Effect.fnUntraced(function* (
  glanced: Glanced,
  rules: Rules,
  most: number
): Effect.fn.Return<HeldBackAll, EventStreamsError> {
  const parks = rules.filter((rule) => rule.kind === "park")
  const waiting = rules.length > parks.length ? yield* waitingInAll(glanced) : undefined
  if (parks.length === 0) return { rules: rules.map((rule) => ({ rule, count: waiting, isMore: false })), looked: 0 }
  const told = (yield* replicas(glanced.observed)).replicas.flatMap(({ parked = [] }) => parked)
  const { counts, isWhole, looked } = yield* parkedInDlq(glanced, parks, most)
  return {
    rules: rules.map((rule) => {
      if (rule.kind !== "park") return { rule, count: waiting, isMore: false }
      const held = told.reduce((sum, { rule: name, waiting }) => sum + (name === ruleName(rule) ? waiting : 0), 0)
      return { rule, count: held + (counts.get(rule) ?? 0), isMore: !isWhole }
    }),
    looked
  }
})
