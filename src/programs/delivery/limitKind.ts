/**
 * Kinds with limits of their own (`concurrency`, `rateLimit`): readers take their permits before they read, whatever else is due
 * waits for one here, without a permit of all, so that no other kind is slowed.
 */
import { Effect } from "effect"
import type { EventKind } from "../../domain/events/eventKind.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillisOf } from "../redis/monotonic.ts"
import { repeatSteps, waiting } from "../supervision/loop.ts"
import type { StepRefused } from "./refusedSteps.ts"
import { holdAgain, notHandedOut } from "./setBack.ts"
import type { CollectorRun } from "./state/collectorRun.ts"
import type { KindLimit } from "./state/kindLimits.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"

export const loopName = ({ name }: EventKind): string => `kind:${name}`

/**
 * When to look again at what waits for its kind, in milliseconds, should it not be its turn before: late, since each look takes an
 * entry up for nothing, and in a full hold what is due last gives way to the retries of other kinds.
 */
const lookAgainMs = 300_000

/** Takes a permit of the entry's kind: the limit that it has to wait for, where there is none. */
export const takeOfKind = (run: CollectorRun, entry: OwnedEntry, { name }: EventKind): KindLimit | undefined => {
  const limit = run.kindLimits.size === 0 ? undefined : run.kindLimits.get(name)
  if (limit === undefined || entry.kindPermits !== undefined) return undefined
  if (limit.permits.tryTake(1) === 0) return limit
  entry.kindPermits = limit.permits
  return undefined
}

/** Has an entry wait for its kind; that it was taken up to learn its kind counts for nothing. */
export const waitForKind = (run: CollectorRun, entry: OwnedEntry, limit: KindLimit): Effect.Effect<void, StepRefused> =>
  Effect.clockWith((clock) => {
    const now = monotonicMillisOf(clock)
    run.gate.notProbed(entry, now)
    return Effect.andThen(
      notHandedOut(run, entry),
      Effect.andThen(
        holdAgain(run, entry, now + lookAgainMs),
        // Held first: who is woken looks at once.
        Effect.sync(() => {
          limit.waiting.add(entry)
          limit.waited.notify()
        })
      )
    )
  })

/** What waits for the kind and is still held; what went on by other ways is forgotten. */
const firstOf = ({ owned }: CollectorRun, { waiting }: KindLimit): OwnedEntry | undefined => {
  for (const entry of waiting) {
    if (entry.state._tag === "Held" && owned.get(entry.stream, entry.id) === entry) return entry
    waiting.delete(entry)
  }
  return undefined
}

/** Lets go on what waits for a kind, as its permits come back. */
export const limitKind = (run: CollectorRun, limit: KindLimit): Effect.Effect<never> => {
  const { permits } = limit
  const letGo = Effect.uninterruptible(
    Effect.flatMap(waiting(Effect.interruptible(Effect.suspend(() => permits.take(1)))), (granted) =>
      Effect.clockWith((clock) => {
        const entry = firstOf(run, limit)
        if (entry === undefined) permits.release(granted, granted)
        else {
          limit.waiting.delete(entry)
          entry.kindPermits = permits
          run.owned.reschedule(entry, monotonicMillisOf(clock))
        }
        return Effect.void
      })
    )
  )
  return repeatSteps(
    Effect.suspend(() => {
      const waiter = new Waiter(limit.waited)
      return firstOf(run, limit) === undefined ? waiting(waiter.wait()) : letGo
    })
  )
}
