/**
 * Steps of the work on an entry that Redis refuses (a wrong type, no memory, no permission): the entry gives its permit
 * back, waits, and is tried again, so that it holds up nobody (contract section 6).
 */
import { Effect, Metric, Schema } from "effect"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import * as Metrics from "../../services/Metrics.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import { retryUntilAnswered } from "../redis/retryRedis.ts"
import { drop } from "./lostEntries.ts"
import type { CollectorRun, RunRedis } from "./state/collectorRun.ts"
import { isDlq } from "./state/consumedStream.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"

const firstDelayMs = 1_000
const longestDelayMs = 30_000

/** Redis refuses a step of the work on an entry. */
export class StepRefused extends Schema.TaggedError<StepRefused>()("StepRefused", {
  /** Such as `move to <stream>`. */
  step: Schema.String,
  reason: Schema.Literals(Metrics.refusalReasons),
  problem: Schema.String
}) {}

const labels: Partial<Record<EventStreamsError["reason"]["_tag"], Metrics.RefusalReason>> = {
  WrongType: "wrong_type",
  OutOfMemory: "out_of_memory",
  Refused: "no_permission"
}

/** Asks Redis for a step of the work on an entry, for as long as Redis is away. */
export const askStep = <A>(
  run: RunRedis,
  step: string,
  effect: Effect.Effect<A, EventStreamsError>
): Effect.Effect<A, StepRefused> =>
  Effect.mapError(
    retryUntilAnswered(run.availability, step, effect),
    (error) => new StepRefused({ step, reason: labels[error.reason._tag] ?? "other", problem: error.message })
  )

/** Notes that Redis did a step that it may have refused before. */
export const stepDone = (run: RunRedis, step: string): Effect.Effect<void> =>
  Effect.map(monotonicMillis, (now) => run.availability.noteRefusal(step, undefined, now))

/** Has an entry wait until its refused step is tried again; its permit goes back when this ends. */
export const waitOut = Effect.fnUntraced(function* (
  run: CollectorRun,
  entry: OwnedEntry,
  refused: StepRefused
): Effect.fn.Return<void> {
  const now = yield* monotonicMillis
  run.availability.noteRefusal(refused.step, refused.problem, now)
  yield* Metric.update(Metrics.movesRefused(refused.reason), 1)
  const times = run.availability.logThrottle.ongoing(`refused ${refused.step}`, now)
  if (times > 0) {
    yield* Effect.logWarning("move.refused").pipe(
      Effect.annotateLogs({ doing: refused.step, problem: refused.problem, stream: entry.stream.key, times })
    )
  }
  if (entry.ownership === "deleted") return yield* drop(run, entry)
  if (entry.ownership === "dropped") return
  run.partitions.giveBack(entry)
  const delay = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(entry.refusals, 10))
  entry.refusals += 1
  // Past so many it is left to whoever takes over what is idle: memory does not grow with what cannot be moved.
  if (!isDlq(entry.stream) && run.owned.heldOfSource >= run.options.dlqHold) run.owned.remove(entry)
  else run.owned.hold(entry, now + delay)
})
