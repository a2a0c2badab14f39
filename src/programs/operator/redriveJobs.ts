/**
 * Replays, retries and drops that go on by themselves (contract section 10, Jobs): started from filters, with progress, and to be
 * cancelled. They live as long as their scope; what was done is done, and the same job can be started again.
 */
import { Clock, Effect, Exit, Fiber, Ref, Schema, type Scope } from "effect"
import type { KnownStreams } from "../../domain/options/knownStreams.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { type ActRequest, makeActing, type Rehearsal } from "./actOnFailed.ts"
import { noProgress, type Progress } from "./redrive.ts"
import type { SelectionError } from "./selection.ts"

/** `counting`: what it means is being looked for; nothing has been changed. */
export type JobState = "counting" | "running" | "done" | "cancelled" | "failed"

export interface Job {
  readonly id: string
  readonly request: ActRequest
  readonly state: JobState
  readonly startedAt: number
  readonly endedAt: number | undefined
  /** How many matched when it began; undefined while it counts. */
  readonly total: number | undefined
  readonly progress: Progress
  readonly problem: string | undefined
  /** Why the audit does not have it. */
  readonly unaudited: string | undefined
}

/** What makes a second asking the same as the first. */
export interface Once {
  readonly key: string
  /** What was asked, word for word. */
  readonly asked: string
}

/** A job is not started: too many run, or its key was another's. */
export class JobRefused extends Schema.TaggedError<JobRefused>()("JobRefused", { problem: Schema.String }) {
  override get message(): string {
    return this.problem
  }
}

export interface RedriveJobs {
  /** Starts a job; where the same was asked with this key before, that job is the answer. */
  readonly start: (
    request: ActRequest,
    once: Once | undefined
  ) => Effect.Effect<Job, SelectionError | JobRefused | EventStreamsError>
  /** Looks at about so many entries at most. */
  readonly rehearse: (
    request: ActRequest,
    reach?: number
  ) => Effect.Effect<Rehearsal, SelectionError | EventStreamsError>
  /** The latest first. */
  readonly list: Effect.Effect<ReadonlyArray<Job>>
  readonly find: (id: string) => Effect.Effect<Job | undefined>
  /** Stops a job between two events; what has ended stays as it is. Undefined where there is no such job. */
  readonly cancel: (id: string) => Effect.Effect<Job | undefined>
}

const mostRunning = 4
/** Jobs that are remembered; those that have ended are forgotten first. */
const mostKept = 200
interface Kept {
  readonly once: Once | undefined
  readonly job: Ref.Ref<Job>
  fiber: Fiber.Fiber<void> | undefined
}

const isOver = ({ state }: Job): boolean => state !== "counting" && state !== "running"

export const makeRedriveJobs = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<KnownStreams>,
  group: string
): Effect.fn.Return<RedriveJobs, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const kept = new Map<string, Kept>()
  const acting = makeActing(streams, sets, group)
  let started = 0

  const run = Effect.fnUntraced(function* (
    job: Ref.Ref<Job>,
    restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  ) {
    const change = (more: Partial<Job>) => Ref.update(job, (before) => ({ ...before, ...more }))
    const { request } = yield* Ref.get(job)
    const work = acting.perform(
      request,
      (total) => change({ state: "running", total }),
      (progress) => change({ progress })
    )
    const exit = yield* Effect.exit(restore(work))
    const endedAt = yield* Clock.currentTimeMillis
    const { progress } = yield* Ref.get(job)
    const failed = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : undefined
    yield* change(
      Exit.isSuccess(exit)
        ? { state: "done", progress: exit.value, endedAt }
        : failed?._tag === "Some"
          ? { state: "failed", problem: failed.value.message, endedAt }
          : Exit.hasInterrupts(exit)
            ? { state: "cancelled", endedAt }
            : { state: "failed", problem: "an internal error", endedAt }
    )
    const unaudited = yield* acting.note(request, Exit.isSuccess(exit) ? exit.value.done : progress.done)
    if (unaudited !== undefined) yield* change({ unaudited: unaudited.message })
  })

  const all = Effect.suspend(() => Effect.forEach([...kept.values()], ({ job }) => Ref.get(job)))

  const forget = Effect.gen(function* () {
    for (const job of yield* all) if (kept.size > mostKept && isOver(job)) kept.delete(job.id)
  })

  const start: RedriveJobs["start"] = Effect.fnUntraced(function* (request, once) {
    yield* acting.check(request)
    const other = once && [...kept.values()].find((it) => it.once?.key === once.key)
    if (other !== undefined) {
      if (other.once?.asked === once?.asked) return yield* Ref.get(other.job)
      return yield* new JobRefused({ problem: "this Idempotency-Key was used for another job" })
    }
    const running = (yield* all).filter((job) => !isOver(job))
    if (running.length >= mostRunning)
      return yield* new JobRefused({ problem: `${mostRunning} jobs run already: wait for one to end, or cancel it` })
    const startedAt = yield* Clock.currentTimeMillis
    started += 1
    const id = `${startedAt}-${started}`
    const job = yield* Ref.make<Job>({
      id,
      request,
      state: "counting",
      startedAt,
      endedAt: undefined,
      total: undefined,
      progress: noProgress,
      problem: undefined,
      unaudited: undefined
    })
    const entry: Kept = { once, job, fiber: undefined }
    kept.set(id, entry)
    entry.fiber = yield* Effect.forkIn(
      // However it ends, it is said and audited.
      Effect.uninterruptibleMask((restore) => run(job, restore)),
      scope
    )
    yield* forget
    return yield* Ref.get(job)
  })

  const find = (id: string): Effect.Effect<Job | undefined> =>
    Effect.suspend(() => {
      const found = kept.get(id)
      return found === undefined ? Effect.undefined : Ref.get(found.job)
    })

  return {
    start,
    rehearse: acting.rehearse,
    list: Effect.map(all, (jobs) => jobs.toReversed()),
    find,
    cancel: (id) =>
      Effect.suspend(() => {
        const fiber = kept.get(id)?.fiber
        return Effect.andThen(fiber === undefined ? Effect.void : Fiber.interrupt(fiber), find(id))
      })
  }
})
