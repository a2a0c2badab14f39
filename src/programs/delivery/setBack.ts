/** What becomes of an event that may not run now: it waits without a permit, or is set aside (contract section 6). */
import { type Clock, Effect, Metric } from "effect"
import type { AttemptResult } from "../../domain/delivery/attempt.ts"
import type { CircuitChange } from "../../domain/delivery/circuits.ts"
import { claimedEventId } from "../../domain/events/entry.ts"
import { type PartitionValues, partitionName, shownPartition } from "../../domain/traffic/isolation.ts"
import * as Metrics from "../../services/Metrics.ts"
import { monotonicMillisOf } from "../redis/monotonic.ts"
import { logEntry } from "./logEntry.ts"
import { drop } from "./lostEntries.ts"
import { waitInDlq } from "./pendingRecovery.ts"
import { askStep, type StepRefused } from "./refusedSteps.ts"
import { type EventAttempts, happenedTo, putAside } from "./settle.ts"
import { type CollectorRun, streamState } from "./state/collectorRun.ts"
import { isDlq } from "./state/consumedStream.ts"
import { giveBackToKind } from "./state/kindLimits.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"
import type { Blockage } from "./state/partitions.ts"

/** When to look again for what has no time of its own, in milliseconds: for a share, and for anything else. */
const cappedForMs = 5_000
const longestMs = 3_600_000

/** Whether one more source entry may wait here: not where others of its partition were set aside before it. */
const mayWait = ({ left, options, owned }: CollectorRun, { partition }: Blockage): boolean =>
  owned.heldOfDlq + owned.waitingOfSource < options.dlqHold && !left.has(partition)

const setAside = (
  run: CollectorRun,
  entry: OwnedEntry,
  eventAttempts: EventAttempts,
  { partition, reason, until }: Blockage,
  clock: Clock.Clock
): Effect.Effect<void, StepRefused> => {
  const now = monotonicMillisOf(clock)
  const waits = reason === "capped" ? cappedForMs : Math.min(longestMs, Math.max(0, until - now))
  const { partedBy } = run.partitions
  const aside = {
    at: clock.currentTimeMillisUnsafe() + Math.ceil(waits),
    reason,
    partition: partitionName(partedBy, partition)
  }
  return Effect.flatMap(putAside(run, entry, eventAttempts, aside), (moved) => {
    if (!moved) return Effect.void
    streamState(run, entry.stream).counts.set_aside += 1
    if (run.happenings.isFollowed) {
      const { event, retry } = eventAttempts
      run.happenings.tell({
        _tag: "SetAside",
        ...happenedTo(run, eventAttempts, claimedEventId(event), retry?.attempt ?? 0, clock.currentTimeMillisUnsafe()),
        reason,
        partition: shownPartition(partedBy, partition),
        retryAt: aside.at
      })
    }
    const times = run.availability.logThrottle.ongoing(`set aside ${reason}`, now)
    return Effect.andThen(
      Metric.update(Metrics.setAside(reason), 1),
      times === 0
        ? Effect.void
        : Effect.annotateLogs(Effect.logWarning("events.set_aside"), {
            reason,
            partition: shownPartition(partedBy, partition),
            events: times
          })
    )
  })
}

/**
 * Takes back that an entry was handed out: what was not sent has killed nobody, and what waits in the DLQ may be taken up, left
 * pending and taken up again any number of times.
 */
export const notHandedOut = (run: CollectorRun, entry: OwnedEntry): Effect.Effect<void, StepRefused> => {
  const { id, stream } = entry
  const deliveries = entry.deliveries - 1
  if (deliveries < 1 || entry.countHandOut) return Effect.void
  const release = run.streams.release(stream.key, run.consumer, 0, [{ id, deliveries }])
  return Effect.map(askStep(run, `give back ${stream.key}`, release), () => {
    entry.deliveries = deliveries
    entry.countHandOut = true
  })
}

/** Has an event wait for what holds it up, or sets it aside where too many do; no attempt is counted. */
export const setBack = (
  run: CollectorRun,
  entry: OwnedEntry,
  eventAttempts: EventAttempts,
  values: PartitionValues,
  blockage: Blockage,
  { due, wasTried }: { readonly due: number; readonly wasTried: boolean }
): Effect.Effect<void, StepRefused> =>
  Effect.clockWith((clock) => {
    const now = monotonicMillisOf(clock)
    run.gate.notProbed(entry, now)
    giveBackToKind(entry)
    const order = { due, now, wasTried }
    return Effect.flatMap(isDlq(entry.stream) ? notHandedOut(run, entry) : Effect.void, () => {
      if (entry.ownership === "deleted") return drop(run, entry)
      if (entry.ownership !== "owned") return Effect.void
      if (isDlq(entry.stream)) waitInDlq(run, entry, values, blockage, order)
      else if (mayWait(run, blockage)) run.partitions.wait(entry, values, blockage, order)
      else return setAside(run, entry, eventAttempts, blockage, clock)
      return Effect.void
    })
  })

const tellChange = (run: CollectorRun, { change, partition: of }: CircuitChange, result: AttemptResult, at: number) => {
  const partition = of === undefined ? undefined : shownPartition(run.partitions.partedBy, of)
  const { errorCode, errorMessage } =
    result._tag === "Failed" ? result : { errorCode: undefined, errorMessage: undefined }
  run.happenings.tell(
    change === "closed"
      ? { _tag: "CircuitClosed", at, partition }
      : { _tag: "CircuitOpened", at, partition, errorCode, errorMessage }
  )
}

/** Says which circuits an attempt opened or closed. */
export const circuitsChanged = (
  run: CollectorRun,
  changes: ReadonlyArray<CircuitChange>,
  result: AttemptResult,
  at: number
): Effect.Effect<void> => {
  if (run.happenings.isFollowed) for (const change of changes) tellChange(run, change, result, at)
  const error = result._tag === "Failed" ? { error_code: result.errorCode, error_message: result.errorMessage } : {}
  return Effect.forEach(
    changes,
    ({ change, partition }) => {
      const { partedBy } = run.partitions
      const scope = (partition === undefined ? undefined : partedBy[partition.field]) ?? "api"
      const of = partition === undefined ? { scope } : { scope, partition: shownPartition(partedBy, partition) }
      if (change === "opened" && partition === undefined) {
        return Effect.andThen(
          Metric.update(Metrics.circuitOpenings(scope), 1),
          Effect.annotateLogs(Effect.logError("circuit.opened"), { ...of, ...error })
        )
      }
      if (partition === undefined) return Effect.annotateLogs(Effect.logInfo("circuit.closed"), of)
      return change === "closed"
        ? logEntry(run, "circuit.closed", Effect.logInfo, of)
        : Effect.andThen(
            Metric.update(Metrics.circuitOpenings(scope), 1),
            logEntry(run, "circuit.opened", Effect.logWarning, { ...of, ...error })
          )
    },
    { discard: true }
  )
}

/** Waits once more until it is due, or for the circuit to close; no attempt is counted. */
export const holdAgain = (run: CollectorRun, entry: OwnedEntry, dueAt: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (entry.ownership === "deleted") return drop(run, entry)
    run.partitions.giveBack(entry)
    if (entry.ownership === "owned") run.owned.hold(entry, dueAt)
    return Effect.void
  })
