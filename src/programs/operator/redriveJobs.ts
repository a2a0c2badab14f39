/**
 * Replays, retries and drops that go on by themselves (contract section 10, Jobs): started from filters, with progress, and to be
 * cancelled. They live as long as their scope; what was done is done, and the same job can be started again.
 */
import { Clock, Deferred, Effect, Exit, Fiber, Ref, Schema, type Scope, Stream } from "effect"
import type { KnownStreams } from "../../domain/options/knownStreams.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { type ActRequest, type FailedAction, makeActing, type Rehearsal } from "./actOnFailed.ts"
import { lineValue } from "./archive.ts"
import type { Place } from "./failedEntry.ts"
import { noProgress, oneMore, type Progress } from "./redrive.ts"
import { isFiltered, type SelectionError, type Source, select, survey, surveyedEntries } from "./selection.ts"

/** What a job does: acts, or hands out what events carry. */
export interface JobRequest extends Omit<ActRequest, "action"> {
  readonly action: FailedAction | `${Place} export`
}

/** What is exported: of one place, what matches; all of it where no filter is given. */
export type ExportRequest = Pick<ActRequest, "filters" | "by" | "why"> & { readonly place: Place }

/** `counting`: what it means is being looked for; nothing has been changed. */
export type JobState = "counting" | "running" | "done" | "cancelled" | "failed"

export interface Job {
  readonly id: string
  readonly request: JobRequest
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

const cancelled = new JobRefused({ problem: "the job was cancelled" })

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
  /** What matches as lines, a job from the first to the last of them: it ends as the reader leaves, and is audited however it ends. */
  readonly exportLines: (
    request: ExportRequest
  ) => Effect.Effect<
    Stream.Stream<string, SelectionError | JobRefused | EventStreamsError>,
    SelectionError | JobRefused | EventStreamsError
  >
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
  /** Stops it, and waits until it has. */
  stop: Effect.Effect<unknown>
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

  /** Says how a job ended, here and in the audit. */
  const conclude = Effect.fnUntraced(function* (
    job: Ref.Ref<Job>,
    exit: Exit.Exit<unknown, { readonly message: string }>
  ) {
    const change = (more: Partial<Job>) => Ref.update(job, (before) => ({ ...before, ...more }))
    const endedAt = yield* Clock.currentTimeMillis
    const failed = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : undefined
    yield* change(
      Exit.isSuccess(exit)
        ? { state: "done", endedAt }
        : failed?._tag === "Some" && failed.value !== cancelled
          ? { state: "failed", problem: failed.value.message, endedAt }
          : failed?._tag === "Some" || Exit.hasInterrupts(exit)
            ? { state: "cancelled", endedAt }
            : { state: "failed", problem: "an internal error", endedAt }
    )
    const { progress, request } = yield* Ref.get(job)
    const unaudited = yield* acting.note(request, progress.done)
    if (unaudited !== undefined) yield* change({ unaudited: unaudited.message })
  })

  const run = Effect.fnUntraced(function* (
    job: Ref.Ref<Job>,
    request: ActRequest,
    restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  ) {
    const change = (more: Partial<Job>) => Ref.update(job, (before) => ({ ...before, ...more }))
    const work = acting.perform(
      request,
      (total) => change({ state: "running", total }),
      (progress) => change({ progress })
    )
    const exit = yield* Effect.exit(restore(work))
    if (Exit.isSuccess(exit)) yield* change({ progress: exit.value })
    yield* conclude(job, exit)
  })

  const all = Effect.suspend(() => Effect.forEach([...kept.values()], ({ job }) => Ref.get(job)))

  const forget = Effect.gen(function* () {
    for (const job of yield* all) if (kept.size > mostKept && isOver(job)) kept.delete(job.id)
  })

  const checkRoom = Effect.gen(function* () {
    const running = (yield* all).filter((job) => !isOver(job))
    if (running.length >= mostRunning)
      return yield* new JobRefused({ problem: `${mostRunning} jobs run already: wait for one to end, or cancel it` })
  })

  /** Lists a job that begins. */
  const list = Effect.fnUntraced(function* (request: JobRequest, once: Once | undefined) {
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
    const entry: Kept = { once, job, stop: Effect.void }
    kept.set(id, entry)
    return { job, entry }
  })

  const start: RedriveJobs["start"] = Effect.fnUntraced(function* (request, once) {
    yield* acting.check(request)
    const other = once && [...kept.values()].find((it) => it.once?.key === once.key)
    if (other !== undefined) {
      if (other.once?.asked === once?.asked) return yield* Ref.get(other.job)
      return yield* new JobRefused({ problem: "this Idempotency-Key was used for another job" })
    }
    yield* checkRoom
    const { job, entry } = yield* list(request, once)
    entry.stop = Fiber.interrupt(
      yield* Effect.forkIn(
        // However it ends, it is said and audited.
        Effect.uninterruptibleMask((restore) => run(job, request, restore)),
        scope
      )
    )
    yield* forget
    return yield* Ref.get(job)
  })

  const exportLines: RedriveJobs["exportLines"] = Effect.fnUntraced(function* ({ by, filters, place, why }) {
    const source: Source = { streams, sets, place }
    const selection = yield* select(source, filters)
    yield* checkRoom
    const request: JobRequest = {
      action: `${place} export`,
      filters,
      all: !isFiltered(filters),
      limit: undefined,
      rate: 1,
      by,
      why
    }
    const begun = Effect.gen(function* () {
      const { entry, job } = yield* list(request, undefined)
      const stopped = yield* Deferred.make<never, JobRefused>()
      const ended = yield* Deferred.make<void>()
      entry.stop = Effect.andThen(Deferred.fail(stopped, cancelled), Deferred.await(ended))
      yield* forget
      const change = (with_: (before: Job) => Partial<Job>) =>
        Ref.update(job, (before) => ({ ...before, ...with_(before) }))
      const lines = Effect.gen(function* () {
        const found = yield* survey(source, selection, Number.MAX_SAFE_INTEGER)
        yield* change(() => ({ state: "running", total: found.total }))
        return Stream.tap(surveyedEntries(source, selection, found), () =>
          change(({ progress }) => ({ progress: oneMore(progress) }))
        )
      })
      return Stream.unwrap(lines).pipe(
        Stream.map((entry) => `${JSON.stringify(lineValue(entry))}\n`),
        Stream.interruptWhen(Deferred.await(stopped)),
        Stream.onExit((exit) => Effect.ensuring(conclude(job, exit), Deferred.succeed(ended, undefined)))
      )
    })
    return Stream.unwrap(begun)
  })

  const find = (id: string): Effect.Effect<Job | undefined> =>
    Effect.suspend(() => {
      const found = kept.get(id)
      return found === undefined ? Effect.undefined : Ref.get(found.job)
    })

  return {
    start,
    exportLines,
    rehearse: acting.rehearse,
    list: Effect.map(all, (jobs) => jobs.toReversed()),
    find,
    cancel: (id) =>
      Effect.suspend(() => {
        const found = kept.get(id)
        if (found === undefined) return find(id)
        return Effect.flatMap(Ref.get(found.job), (job) =>
          Effect.andThen(isOver(job) ? Effect.void : found.stop, find(id))
        )
      })
  }
})
