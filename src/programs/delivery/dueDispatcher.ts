/** Starts held entries when they are due: retries, entries found pending, and the probes of an open circuit. */
import { Effect } from "effect"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf } from "../redis/monotonic.ts"
import { repeatSteps, waiting } from "../supervision/loop.ts"
import { takeUpAndDeliver } from "./deliver.ts"
import type { CollectorRun, RunDeliveries } from "./state/collectorRun.ts"
import { isSuspect, type OwnedEntry } from "./state/ownedEntry.ts"

export const loopName = "dispatch"

/** How long to look out for something to probe with before looking again, in milliseconds. */
const probePatience = 1_000

/** What to do next: wait for a change (or until a time), or start the entry that is due first. */
type Next =
  | { readonly _tag: "Wait"; readonly until: number | undefined }
  | { readonly _tag: "Start"; readonly entry: OwnedEntry; readonly probe: boolean }

/**
 * Whether a probe should be an event that was never tried. Every second one is: what waits may be all bad events, which
 * opened the circuit by themselves, and no good one would ever be read. No more are fetched than there are permits.
 */
const wantsFresh = ({ gate, owned, permits }: RunDeliveries): boolean =>
  gate.probes % 2 === 1 && owned.peek()?.due !== "first" && owned.heldOfSource < permits.total

const next = (run: RunDeliveries, now: number): Next => {
  const { gate, owned } = run
  const first = owned.peek()
  const dueAt = first?.due === "first" ? now : first?.due
  if (now < gate.pauseEnds) return { _tag: "Wait", until: gate.pauseEnds }
  const { probeAt } = gate
  if (probeAt !== undefined && now < probeAt) return { _tag: "Wait", until: probeAt }
  if (probeAt !== undefined && wantsFresh(run) && now < probeAt + probePatience) {
    gate.wantProbe()
    return { _tag: "Wait", until: probeAt + probePatience }
  }
  if (first !== undefined && dueAt !== undefined && dueAt <= now) {
    return { _tag: "Start", entry: first.entry, probe: probeAt !== undefined }
  }
  if (probeAt === undefined) return { _tag: "Wait", until: dueAt }
  // A probe is due and nothing waits that could be one: let the readers fetch an entry.
  gate.wantProbe()
  return { _tag: "Wait", until: Math.min(dueAt ?? Number.POSITIVE_INFINITY, now + probePatience) }
}

/** Whether an entry works alone, with every permit there is. */
const worksAlone = (plan: Next): boolean => plan._tag === "Start" && isSuspect(plan.entry)

/** Starts the entry that is due first once it has its permits: made once, run for every entry. */
const makeStart = (run: CollectorRun): Effect.Effect<void> => {
  const { gate, owned, permits } = run
  // Permits come back when deliveries end, which takes as long as Redis or the API is away.
  const takePermits = waiting(
    Effect.interruptible(
      Effect.clockWith((clock) => {
        const alone = worksAlone(next(run, monotonicMillisOf(clock)))
        return Effect.map(alone ? permits.takeAll : permits.take(1), (granted) => ({ alone, granted }))
      })
    )
  )
  return Effect.uninterruptible(
    Effect.gen(function* () {
      const { alone, granted } = yield* takePermits
      const now = yield* monotonicMillis
      // Much may have changed while it waited for its turn.
      const still = next(run, now)
      if (still._tag === "Wait" || worksAlone(still) !== alone) return permits.release(granted, 1)
      const entry = owned.pop()
      if (entry === undefined) return permits.release(granted, 1)
      if (still.probe) gate.probed(entry, now)
      run.start(entry, granted, takeUpAndDeliver(run, entry))
    })
  )
}

export const dispatchDue = (run: CollectorRun): Effect.Effect<never> =>
  Effect.suspend(() => {
    const { gate, owned, partitions } = run
    const start = makeStart(run)
    return repeatSteps(
      Effect.clockWith((clock) => {
        const waiter = new Waiter(gate.changed, owned.changed)
        const now = monotonicMillisOf(clock)
        partitions.look(now)
        const plan = next(run, now)
        if (plan._tag === "Start") return start
        const until = Math.min(plan.until ?? Number.POSITIVE_INFINITY, partitions.lookAt)
        return waiting(waiter.wait(Number.isFinite(until) ? until : undefined))
      })
    )
  })
