/** Starts held entries when they are due: retries, entries found pending, and the probes of an open circuit. */
import { Clock, Effect } from "effect"
import { Watch } from "../redis/changeSignal.ts"
import type { Session } from "./state/collectorRun.ts"
import { isSuspect, type Task, untried } from "./state/ownedEntry.ts"

export const loopName = "dispatch"

/** How long to look out for something to probe with before looking again, in milliseconds. */
const probePatience = 1_000

/** What to do next: wait for a change (or until a time), or start the task that is due first. */
type Next =
  | { readonly _tag: "Wait"; readonly until: number | undefined }
  | { readonly _tag: "Start"; readonly task: Task; readonly probe: boolean }

/**
 * Whether a probe should be an event that was never tried. Every second one is: what waits may be all bad events, which
 * opened the circuit by themselves, and no good one would ever be read. No more are fetched than there are permits.
 */
const wantsFresh = ({ gate, ledger, permits }: Session): boolean =>
  gate.probes % 2 === 1 && ledger.peek()?.dueAt !== untried && ledger.held - ledger.heldOfDlq < permits.total

const next = (session: Session, now: number): Next => {
  const { gate, ledger } = session
  const first = ledger.peek()
  if (now < gate.pauseEnds) return { _tag: "Wait", until: gate.pauseEnds }
  const { probeAt } = gate
  if (probeAt !== undefined && now < probeAt) return { _tag: "Wait", until: probeAt }
  if (probeAt !== undefined && wantsFresh(session) && now < probeAt + probePatience) {
    gate.wantProbe()
    return { _tag: "Wait", until: probeAt + probePatience }
  }
  if (first !== undefined && first.dueAt <= now) return { _tag: "Start", task: first, probe: probeAt !== undefined }
  if (probeAt === undefined) return { _tag: "Wait", until: first?.dueAt }
  // A probe is due and nothing waits that could be one: let the readers fetch an entry.
  gate.wantProbe()
  return { _tag: "Wait", until: Math.min(first?.dueAt ?? Number.POSITIVE_INFINITY, now + probePatience) }
}

/** A suspect works alone: it takes every permit there is. */
const permitsFor = ({ permits }: Session, task: Task): number => (isSuspect(task) ? permits.total : 1)

/** Starts the task that is due first once it has its permits: made once, run for every task. */
const makeStart = (session: Session): Effect.Effect<void> => {
  const { gate, ledger, permits } = session
  const takePermits = Effect.clockWith((clock) => {
    const plan = next(session, clock.currentTimeMillisUnsafe())
    const count = plan._tag === "Start" ? permitsFor(session, plan.task) : 1
    return permits.take(count, count)
  })
  return Effect.uninterruptible(
    Effect.gen(function* () {
      const granted = yield* Effect.interruptible(takePermits)
      const now = yield* Clock.currentTimeMillis
      // Much may have changed while it waited for its turn.
      const still = next(session, now)
      if (still._tag === "Wait" || permitsFor(session, still.task) !== granted) return permits.release(granted)
      const task = ledger.pop()
      if (task === undefined) return permits.release(granted)
      if (still.probe) gate.probed(now)
      session.start(task, granted)
    })
  )
}

export const dispatch = (session: Session): Effect.Effect<never> =>
  Effect.gen(function* () {
    const { gate, ledger } = session
    const start = makeStart(session)
    for (;;) {
      yield* session.beat(loopName)
      const watch = new Watch(gate.changed, ledger.changed)
      const now = yield* Clock.currentTimeMillis
      const plan = next(session, now)
      if (plan._tag === "Start") {
        // Permits come back when deliveries end, which takes as long as Redis or the API is away.
        yield* session.rest(loopName)
        yield* start
        continue
      }
      // Wakes at least this often to show that it is alive.
      const alive = now + 10_000
      yield* watch.wait(Math.min(plan.until ?? alive, alive))
    }
  })
