/** Supervised loops: one that dies of a defect, or interrupts itself, is seen, counted and started again; too many defects end the run. */
import { Cause, Deferred, Effect, Metric, Schema } from "effect"
import * as Metrics from "../../services/Metrics.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import { restarts } from "../redis/schedules.ts"
import type { Heartbeats } from "./heartbeats.ts"
import { CurrentPulse, RhythmBegan } from "./loop.ts"

/** So many defects within a minute that going on would be pretence. */
export class TooManyDefects extends Schema.TaggedError<TooManyDefects>()("TooManyDefects", {
  loop: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `Too many internal errors within a minute, the last in ${this.loop}: ${this.problem}`
  }
}

/** A defect's own words; of an effect that interrupted itself there are none. */
export const problemOf = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasInterruptsOnly(cause)) return "it interrupted itself"
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/**
 * Whether it is none of the failures that an effect is known to have: a defect, or an interruption that came from within.
 * Of one that came from outside no handler hears.
 */
const isDeath = (cause: Cause.Cause<unknown>): boolean => Cause.hasDies(cause) || !Cause.hasFails(cause)

const mostDefects = 5
const withinMs = 60_000

/** Where the defects of all loops of a process are counted. */
export interface Supervisor {
  /** Runs a loop for ever, its signs of life noted; restarts it with backoff when it dies. Typed failures pass through. */
  readonly watch: <E, R>(name: string, loop: Effect.Effect<never, E, R>) => Effect.Effect<never, E, R>
  /** Notes a defect that ended no loop. */
  readonly defect: (name: string, cause: Cause.Cause<unknown>) => Effect.Effect<void>
  /** Fails once there were too many defects. */
  readonly exhausted: Effect.Effect<never, TooManyDefects>
  /** The loops that run now. */
  readonly running: () => ReadonlyArray<string>
}

export const makeSupervisor = Effect.fnUntraced(function* (heartbeats: Heartbeats): Effect.fn.Return<Supervisor> {
  const exhausted = yield* Deferred.make<never, TooManyDefects>()
  let recent: ReadonlyArray<number> = []
  const running = new Set<string>()
  const began = yield* monotonicMillis

  const defect = Effect.fnUntraced(function* (name: string, cause: Cause.Cause<unknown>): Effect.fn.Return<void> {
    const now = yield* monotonicMillis
    recent = [...recent.filter((at) => at > now - withinMs), now]
    yield* Effect.logError("loop.died", cause).pipe(Effect.annotateLogs({ loop: name }))
    if (recent.length >= mostDefects) {
      yield* Deferred.fail(exhausted, new TooManyDefects({ loop: name, problem: problemOf(cause) }))
    }
  })

  const watch = <E, R>(name: string, loop: Effect.Effect<never, E, R>): Effect.Effect<never, E, R> => {
    const restarted = Effect.sandbox(loop).pipe(
      Effect.tapError((cause) =>
        isDeath(cause)
          ? Effect.andThen(Metric.update(Metrics.fiberRestarts(name), 1), defect(name, cause))
          : Effect.void
      ),
      Effect.retry({ schedule: restarts, while: isDeath }),
      Effect.catch(Effect.failCause),
      Effect.provideService(CurrentPulse, heartbeats.pulse(name)),
      Effect.provideService(RhythmBegan, began)
    )
    return Effect.suspend(() => {
      running.add(name)
      return Effect.ensuring(
        restarted,
        Effect.sync(() => running.delete(name))
      )
    })
  }

  return { watch, defect, exhausted: Deferred.await(exhausted), running: () => [...running] }
})
