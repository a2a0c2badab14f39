/**
 * Replays, retries and drops that go on by themselves (contract section 10, Jobs): started from filters, with progress, and to be
 * cancelled. They live as long as their scope; what was done is done, and the same job can be started again.
 */
import { Clock, Effect, Exit, Fiber, Ref, Schema, type Scope, Stream } from "effect"
import type { StreamSet } from "../../domain/options/options.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { audit } from "../redis/audit.ts"
import type { FailedEntry, Place } from "./failedEntry.ts"
import { look } from "./look.ts"
import {
  abandonedItem,
  drop,
  dropRetries,
  leave,
  makeFateOf,
  noProgress,
  oneMore,
  type Progress,
  rehearseRetry,
  replay,
  retryNow
} from "./redrive.ts"
import {
  type Filters,
  filtersText,
  isFiltered,
  SelectionError,
  type Source,
  select,
  survey,
  surveyedEntries
} from "./selection.ts"

/** What a job does: the command that does the same, and what the audit says. */
export const jobActions = ["abandoned replay", "abandoned drop", "dlq retry", "dlq drop"] as const
export type JobAction = (typeof jobActions)[number]

const placeOfAction = (action: JobAction): Place => (action.startsWith("dlq") ? "dlq" : "abandoned")

export interface JobRequest {
  readonly action: JobAction
  readonly filters: Filters
  /** Everything there is: only where no filter is given. */
  readonly all: boolean
  /** No more than so many, the oldest first. */
  readonly limit: number | undefined
  /** Replays a second. */
  readonly rate: number
  readonly by: string
  readonly why: string | undefined
}

export const usualRate = 100

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

/** What a job would do, without doing it. */
export interface Rehearsal {
  readonly progress: Progress
  readonly matched: number
  readonly looked: number
  /** Whether all that match were seen; otherwise the counts are of those looked at. */
  readonly isWhole: boolean
  readonly sample: ReadonlyArray<FailedEntry>
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
    request: JobRequest,
    once: Once | undefined
  ) => Effect.Effect<Job, SelectionError | JobRefused | EventStreamsError>
  readonly rehearse: (request: JobRequest) => Effect.Effect<Rehearsal, SelectionError | EventStreamsError>
  /** The latest first. */
  readonly list: Effect.Effect<ReadonlyArray<Job>>
  readonly find: (id: string) => Effect.Effect<Job | undefined>
  /** Stops a job between two events; what has ended stays as it is. Undefined where there is no such job. */
  readonly cancel: (id: string) => Effect.Effect<Job | undefined>
}

const mostRunning = 4
/** Jobs that are remembered; those that have ended are forgotten first. */
const mostKept = 200
const rehearsedMost = 200_000
const sampled = 10

/** What is acted on must be said (contract section 1): a filter, or everything. */
const checkMeant = ({ all, filters }: JobRequest): Effect.Effect<void, SelectionError> => {
  if (all === isFiltered(filters))
    return Effect.fail(
      new SelectionError({
        problem: all
          ? "all is for everything; with a filter leave it out"
          : "give a filter, or say all to act on everything"
      })
    )
  return Effect.void
}

interface Kept {
  readonly once: Once | undefined
  readonly job: Ref.Ref<Job>
  fiber: Fiber.Fiber<void> | undefined
}

const isOver = ({ state }: Job): boolean => state !== "counting" && state !== "running"

const itemOf = ({ fields, id, stream }: FailedEntry) => abandonedItem(stream, { id, fields })

/** How the audit has what a job was asked to act on. */
export const selectionText = ({ all, filters, limit }: Pick<JobRequest, "all" | "filters" | "limit">): string =>
  [all ? "--all" : filtersText(filters), ...(limit === undefined ? [] : [`--limit ${limit}`])].join(" ")

export const makeRedriveJobs = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<StreamSet>,
  group: string
): Effect.fn.Return<RedriveJobs, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const kept = new Map<string, Kept>()
  const fateOf = makeFateOf(sets)
  let started = 0

  const sourceOf = (action: JobAction): Source => ({ streams, sets, place: placeOfAction(action) })

  const work = (
    { action, rate }: JobRequest,
    entries: ReturnType<typeof surveyedEntries>,
    step: (progress: Progress) => Effect.Effect<void>
  ): Effect.Effect<Progress, EventStreamsError> => {
    switch (action) {
      case "abandoned replay":
        return replay(streams, Stream.map(entries, itemOf), rate, fateOf, step)
      case "abandoned drop":
        return drop(streams, entries, step)
      case "dlq retry":
        return retryNow(streams, group, entries, step)
      case "dlq drop":
        return dropRetries(streams, group, entries, step)
    }
  }

  const count = (action: JobAction, progress: Progress, entry: FailedEntry, now: number): Progress => {
    if (action === "dlq retry") return rehearseRetry(progress, entry, now)
    if (action !== "abandoned replay") return oneMore(progress)
    const fate = fateOf(itemOf(entry))
    return fate._tag === "PutBack" ? oneMore(progress) : leave(progress, fate)
  }

  const run = Effect.fnUntraced(function* (
    job: Ref.Ref<Job>,
    restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  ) {
    const change = (more: Partial<Job>) => Ref.update(job, (before) => ({ ...before, ...more }))
    const { request } = yield* Ref.get(job)
    const source = sourceOf(request.action)
    const acting = Effect.gen(function* () {
      const selection = yield* select(source, request.filters)
      const found = yield* survey(source, selection, request.limit ?? Number.MAX_SAFE_INTEGER)
      yield* change({ state: "running", total: found.total })
      return yield* work(request, surveyedEntries(source, selection, found), (progress) => change({ progress }))
    })
    const exit = yield* Effect.exit(restore(acting))
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
    const unaudited = yield* audit(streams, sets[0]?.transcribe ?? "", {
      at: endedAt,
      who: request.by,
      action: request.action,
      filter: selectionText(request),
      count: Exit.isSuccess(exit) ? exit.value.done : progress.done,
      why: request.why
    })
    if (unaudited !== undefined) yield* change({ unaudited: unaudited.message })
  })

  const all = Effect.suspend(() => Effect.forEach([...kept.values()], ({ job }) => Ref.get(job)))

  const forget = Effect.gen(function* () {
    for (const job of yield* all) if (kept.size > mostKept && isOver(job)) kept.delete(job.id)
  })

  const start: RedriveJobs["start"] = Effect.fnUntraced(function* (request, once) {
    yield* checkMeant(request)
    yield* select(sourceOf(request.action), request.filters)
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
    rehearse: Effect.fnUntraced(function* (request) {
      yield* checkMeant(request)
      const source = sourceOf(request.action)
      const selection = yield* select(source, request.filters)
      const now = yield* Clock.currentTimeMillis
      const most = request.limit ?? Number.MAX_SAFE_INTEGER
      const sample: Array<FailedEntry> = []
      let progress = noProgress
      let matched = 0
      const { looked, next } = yield* look(source, selection, { most: rehearsedMost }, (entry) => {
        matched += 1
        progress = count(request.action, progress, entry, now)
        if (sample.length < sampled) sample.push(entry)
        return true
      })
      return { progress, matched: Math.min(matched, most), looked, isWhole: next === undefined, sample }
    }),
    list: Effect.map(all, (jobs) => jobs.toReversed()),
    find,
    cancel: (id) =>
      Effect.suspend(() => {
        const fiber = kept.get(id)?.fiber
        return Effect.andThen(fiber === undefined ? Effect.void : Fiber.interrupt(fiber), find(id))
      })
  }
})
