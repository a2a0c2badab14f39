/** Everything at a glance, as the replicas tell it and Redis shows it: the verdict, the streams, the replicas, the rules. */
import { Clock, Effect } from "effect"
import { timeOfId } from "../../domain/events/streamId.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import type { ReplicaFigures } from "../../domain/replicas/replicaFigures.ts"
import { type Verdict, verdictOf } from "../../domain/replicas/verdict.ts"
import { type Rule, type Rules, ruleName } from "../../domain/traffic/rules.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { currentRules } from "../traffic/controlTraffic.ts"
import { type Observed, replicas } from "./replicas.ts"

/** A stream as it stands. */
export interface StreamGlance {
  readonly stream: string
  /** `dlq`, or the name of the kind whose stream it is. */
  readonly label: string
  readonly length: number
  /** Entries ever added: what comes in between two looks is their difference. */
  readonly added: number
  /** Whether the group exists. */
  readonly read: boolean
  /** Not read yet; undefined where Redis cannot tell, and where there is no group. */
  readonly lag: number | undefined
  readonly pending: number
  /** False where entries wait that no consumer has asked for in a minute, though the group is there. */
  readonly attended: boolean
  /** Entries a second since the look before; undefined at the first. */
  readonly arriving: number | undefined
}

export interface Glance {
  /** Epoch milliseconds. */
  readonly at: number
  readonly group: string
  readonly verdict: Verdict
  /** Delivered a second, by all replicas. */
  readonly delivered: number
  /** Entries of the source streams that came a second since the look before. */
  readonly arriving: number | undefined
  /** Entries of the source streams that nobody has read. */
  readonly backlog: number | undefined
  readonly streams: ReadonlyArray<StreamGlance>
  readonly abandoned: { readonly length: number; readonly oldestAt: number | undefined }
  readonly replicas: ReadonlyArray<ReplicaFigures>
  /** Replicas that tell of themselves in another way. */
  readonly unreadable: number
  readonly rules: Rules
  /** Why the rules that stand there cannot be read. */
  readonly rulesProblem: string | undefined
}

/** A consumer that has asked for entries within this time is at work. */
const activeWithinMs = 60_000

const rulesRemark: Verdict = {
  level: "warning",
  text: "the traffic rules cannot be read: replicas keep to those they knew before"
}

const add = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a + b

const lookAtStream = Effect.fnUntraced(function* (
  { group, streams }: Observed,
  label: StreamGlance["label"],
  stream: string,
  before: Glance | undefined,
  now: number
): Effect.fn.Return<StreamGlance, EventStreamsError> {
  const [info, known] = yield* Effect.all([streams.streamInfo(stream), streams.groupInfo(stream, group)], {
    concurrency: "unbounded"
  })
  const waits = known !== undefined && ((known.lag ?? 0) > 0 || known.pending > 0)
  const consumers = waits ? yield* streams.consumers(stream, group) : []
  const added = info?.entriesAdded ?? 0
  const last = before?.streams.find((each) => each.stream === stream)
  const seconds = before === undefined ? 0 : (now - before.at) / 1_000
  return {
    stream,
    label,
    length: info?.length ?? 0,
    added,
    read: known !== undefined,
    lag: known?.lag ?? (info === undefined ? 0 : undefined),
    pending: known?.pending ?? 0,
    attended: !waits || consumers.some(({ idle }) => idle < activeWithinMs),
    arriving: last === undefined || seconds <= 0 ? undefined : Math.max(0, added - last.added) / seconds
  }
})

const ofKind = <Kind extends Rule["kind"]>(rules: Rules, kind: Kind) =>
  rules.find((rule): rule is Extract<Rule, { kind: Kind }> => rule.kind === kind)

/** What is looked at. */
export interface Glanced {
  readonly observed: Observed
  readonly sets: ReadonlyArray<KnownStreams>
}

/** Looks, and says what came in since the look before, if there is one; `remarks` are what others found. */
export const glance = Effect.fnUntraced(function* (
  { observed, sets }: Glanced,
  before?: Glance,
  remarks: ReadonlyArray<Verdict> = []
): Effect.fn.Return<Glance, EventStreamsError> {
  const { group, streams } = observed
  const now = yield* Clock.currentTimeMillis
  const keys = sets.flatMap((set) => [...sourcesOf(set), ["dlq", set.dlq] as const])
  const found = yield* Effect.all(
    {
      streams: Effect.forEach(keys, ([label, key]) => lookAtStream(observed, label, key, before, now), {
        concurrency: "unbounded"
      }),
      abandoned: Effect.forEach(sets, (set) => streams.streamInfo(set.abandoned), { concurrency: "unbounded" }),
      told: replicas(observed),
      rules: currentRules(observed)
    },
    { concurrency: "unbounded" }
  )
  const sources = found.streams.filter(({ label }) => label !== "dlq")
  const backlog = sources.reduce<number | undefined>((total, { lag }) => add(total, lag), 0)
  const arriving = sources.reduce<number | undefined>((total, each) => add(total, each.arriving), 0)
  const running = found.told.replicas
  const delivered = running.reduce((total, { rate }) => total + rate, 0)
  const { rules, unreadable: rulesProblem } = found.rules
  const pause = ofKind(rules, "pause")
  const limit = ofKind(rules, "limit")
  const abandoned = found.abandoned.reduce((total, info) => total + (info?.length ?? 0), 0)
  const oldest = found.abandoned.flatMap((info) => (info?.firstId === undefined ? [] : [timeOfId(info.firstId)]))
  return {
    at: now,
    group,
    verdict: verdictOf({
      now,
      replicas: running,
      pause,
      limit:
        limit === undefined
          ? undefined
          : { perSecond: (limit.rate.count * 1_000) / limit.rate.perMs, name: ruleName(limit) },
      backlog,
      arriving,
      delivered,
      unread: found.streams.flatMap(({ length, read, stream }) => (length > 0 && !read ? [stream] : [])),
      unattended: found.streams.flatMap(({ attended, stream }) => (attended ? [] : [stream])),
      abandoned,
      remarks: [...(rulesProblem === undefined ? [] : [rulesRemark]), ...remarks]
    }),
    delivered,
    arriving,
    backlog,
    streams: found.streams,
    abandoned: { length: abandoned, oldestAt: oldest.length === 0 ? undefined : Math.min(...oldest) },
    replicas: running,
    unreadable: found.told.unreadable,
    rules,
    rulesProblem
  }
})
