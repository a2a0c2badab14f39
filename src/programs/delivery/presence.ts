/**
 * Tells all who look into Redis that this replica runs, how it does, and what it has counted (contract section 8, Replicas).
 * What it cannot tell it tells later: nothing waits for it.
 */
import { Clock, Effect } from "effect"
import type { HealthReport } from "../../domain/options/health.ts"
import { type Counts, counted, hourOf, minuteField } from "../../domain/replicas/minutes.ts"
import type { ReplicaFigures } from "../../domain/replicas/replicaFigures.ts"
import { cut } from "../../domain/text/printable.ts"
import { ruleName } from "../../domain/traffic/rules.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { HostFigures } from "../../services/HostFigures.ts"
import { keyId, type Signer } from "../../services/Signer.ts"
import { monotonicMillisOf } from "../redis/monotonic.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { repeatSteps, sleepToBeat, waiting } from "../supervision/loop.ts"
import { leaseStream, stopPatience } from "./lease.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"

export const loopName = "presence"

const everyMs = 5_000
/** For so long figures stand: two that were not told are not missed. */
const standForMs = 15_000
/** The rate is that of so many reports. */
const rateOver = 3

/** So many parked partitions are told of. */
const mostParked = 50

/** A text of a problem is for a line of a screen. */
const longestProblem = 200

export interface PresenceParts {
  readonly run: CollectorRun
  readonly version: string
  readonly signer: Signer["Service"]
  readonly health: Effect.Effect<HealthReport>
  /** The configuration that is installed; 0 for none. */
  readonly configVersion: Effect.Effect<number>
}

/** What is wrong by `/health`, the worst first. */
const problemsOf = ({ checks, problem }: HealthReport): ReadonlyArray<string> => {
  const all: ReadonlyArray<HealthReport["checks"][keyof HealthReport["checks"]]> = Object.values(checks)
  const of = (status: string) => all.flatMap((check) => (check.status === status ? (check.problem ?? []) : []))
  return [...(problem === undefined ? [] : [problem]), ...of("down"), ...of("degraded")].map((text) =>
    cut(text, longestProblem)
  )
}

/** The loop that tells, and what tells for the last time. */
export const makePresence = Effect.fnUntraced(function* ({
  configVersion,
  health,
  run,
  signer,
  version
}: PresenceParts) {
  const clock = yield* Clock.Clock
  const host = yield* HostFigures
  const { apiRecord, availability, consumer, gate, owned, partitions, permits, streams, traffic } = run
  const started_at = clock.currentTimeMillisUnsafe()
  const stream = leaseStream(run.consumedStreams)
  /** When it was looked at, and what had been delivered and spent by then: the latest last. */
  let before: ReadonlyArray<{ readonly at: number; readonly delivered: number; readonly cpu: number }> = []

  let key = { publicKey: signer.publicKey, id: keyId(signer) }
  /** The key may be another one by now; its id is a hash. */
  const keyIdNow = (): string => {
    if (key.publicKey !== signer.publicKey) key = { publicKey: signer.publicKey, id: keyId(signer) }
    return key.id
  }

  const delivered = (): number =>
    run.consumedStreams.reduce((sum, each) => sum + streamState(run, each).counts.delivered, 0)

  /** What has been counted and not told, with how to note that it was. */
  const untold = (now: number) => {
    const counts: Array<readonly [string, number]> = []
    const told: Array<readonly [Counts, Counts]> = []
    for (const each of run.consumedStreams) {
      const state = streamState(run, each)
      told.push([state.told, { ...state.counts }])
      for (const what of counted) {
        const more = state.counts[what] - state.told[what]
        if (more > 0) counts.push([minuteField(now, each.label, what), more])
      }
    }
    const note = () => {
      for (const [known, counted] of told) Object.assign(known, counted)
    }
    return { counts, note }
  }

  const figuresNow = Effect.gen(function* () {
    const report = yield* health
    const config_version = yield* configVersion
    const now = clock.currentTimeMillisUnsafe()
    const monotonic = monotonicMillisOf(clock)
    const wall = (at: number) => Math.round(now + at - monotonic)
    const present = { at: monotonic, delivered: delivered(), cpu: host?.cpuSeconds() ?? 0 }
    const [oldest = present] = before
    const latest = before.at(-1) ?? present
    const perSecond = (amount: number, since: number) =>
      monotonic > since ? Math.max(0, (amount * 1_000) / (monotonic - since)) : 0
    const parked = traffic.active(monotonic).flatMap(({ rule }) => {
      const waiting = rule.kind === "park" ? partitions.parkedOfSource(rule) : 0
      return waiting === 0 ? [] : [{ rule: ruleName(rule), waiting }]
    })
    before = [...before.slice(1 - rateOver), present]
    const figures: ReplicaFigures = {
      consumer: consumer.name,
      host: host?.name ?? null,
      version,
      key_id: keyIdNow(),
      started_at,
      at: now,
      status: report.status,
      problems: problemsOf(report),
      in_flight: apiRecord.inFlight,
      permits: permits.total,
      held: owned.held,
      rate: perSecond(present.delivered - oldest.delivered, oldest.at),
      ...apiRecord.latencies(monotonic),
      circuit: gate.circuitOpen ? "open" : "closed",
      open_partitions: gate.circuits.open,
      next_probe_at: gate.probeAt === undefined ? null : wall(gate.probeAt),
      waits_until: gate.retryAfterEnds > monotonic ? wall(gate.retryAfterEnds) : null,
      ...(parked.length === 0 ? {} : { parked: parked.slice(0, mostParked) }),
      config_version,
      cpu: host === undefined ? null : perSecond(present.cpu - latest.cpu, latest.at),
      memory_bytes: host === undefined ? null : host.memoryBytes()
    }
    return figures
  })

  const tell = Effect.fnUntraced(function* (ttlMs: number): Effect.fn.Return<void, EventStreamsError> {
    const figures = yield* figuresNow
    const { counts, note } = untold(figures.at)
    const hour = hourOf(figures.at)
    yield* streams.report(stream, consumer, { figures: JSON.stringify(figures), ttlMs, hour, counts })
    note()
  })

  return {
    loop: repeatSteps(
      Effect.catch(tell(standForMs), (error) => noteFailure(availability, loopName, error)),
      waiting(sleepToBeat(everyMs))
    ),
    /** What was counted since is told, and the figures are gone at once. A Redis that is away is not waited for. */
    leave: Effect.suspend(() => (availability.up ? Effect.ignore(Effect.timeout(tell(1), stopPatience)) : Effect.void))
  }
})
