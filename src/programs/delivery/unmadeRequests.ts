/** Events of which their kind makes no request: tried again as after a failed attempt, or held where that goes for all of the kind. */
import { Clock, Effect } from "effect"
import { failed } from "../../domain/delivery/answer.ts"
import { decide } from "../../domain/delivery/decide.ts"
import { retryDelay } from "../../domain/delivery/retry.ts"
import { claimedEventId } from "../../domain/events/entry.ts"
import type { EventKind, RequestUnmade } from "../../domain/events/eventKind.ts"
import { monotonicMillis, monotonicMillisOf } from "../redis/monotonic.ts"
import { attemptOf, settleFailed } from "./failedAttempts.ts"
import { logEntry } from "./logEntry.ts"
import type { StepRefused } from "./refusedSteps.ts"
import { holdAgain } from "./setBack.ts"
import type { EventAttempts } from "./settle.ts"
import type { CollectorRun } from "./state/collectorRun.ts"
import type { OwnedEntry } from "./state/ownedEntry.ts"
import { noteOutcome, type ProcessSpan } from "./tracing.ts"

/** Waits until its paused kind is tried again; what was just tried, behind the others. */
export const holdForKind = (
  run: CollectorRun,
  entry: OwnedEntry,
  { name }: EventKind,
  behind: 0 | 1
): Effect.Effect<void> =>
  Effect.clockWith((clock) => {
    const now = monotonicMillisOf(clock)
    run.gate.notProbed(entry, now)
    return holdAgain(run, entry, (run.unmade.pauseEnds(name) ?? now) + behind)
  })

export const sayResumed = ({ happenings }: CollectorRun, { name }: EventKind): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (at) => {
    if (happenings.isFollowed) happenings.tell({ _tag: "KindResumed", at, kind: name })
    return Effect.annotateLogs(Effect.logInfo("kind.resumed"), { kind: name })
  })

/** What becomes of an event whose kind makes no request of it: as of a failed attempt, or held where that goes for all of the kind. */
export const withoutRequest = Effect.fnUntraced(function* (
  run: CollectorRun,
  entry: OwnedEntry,
  { eventAttempts, kind }: { readonly eventAttempts: EventAttempts; readonly kind: EventKind },
  { cause, isDefect, message }: RequestUnmade,
  span: ProcessSpan,
  giveUp: () => Effect.Effect<void, StepRefused>
): Effect.fn.Return<void, StepRefused> {
  const { event, retry, source } = eventAttempts
  const state = run.unmade.unmade(kind.name, `${source.stream} ${source.id}`, message, yield* monotonicMillis)
  const said = { kind: kind.name, stream: source.stream, entry_id: source.id, problem: message }
  yield* logEntry(run, "request.unmade", (name) => Effect.logError(name, cause), said)
  if (state === "began") {
    const at = yield* Clock.currentTimeMillis
    if (run.happenings.isFollowed) run.happenings.tell({ _tag: "KindPaused", at, kind: kind.name, problem: message })
    yield* Effect.annotateLogs(Effect.logError("kind.paused"), { kind: kind.name, problem: message })
  }
  if (state !== "few") {
    noteOutcome(span, "held", undefined)
    return yield* holdForKind(run, entry, kind, 1)
  }
  if (isDefect) return yield* giveUp()
  const now = yield* Clock.currentTimeMillis
  const attemptsBefore = retry?.attempt ?? 0
  const result = failed("REQUEST_FAILED", message)
  const retryInMs = yield* retryDelay(kind.retry, attemptsBefore + 1, result)
  const decision = decide({
    attemptsBefore,
    result,
    circuitOpen: false,
    now,
    rejectStatuses: run.options.rejectStatuses,
    retryInMs
  })
  if (decision._tag !== "Retry" && decision._tag !== "Abandon") return
  noteOutcome(span, decision._tag === "Retry" ? "retried" : "abandoned", result)
  yield* settleFailed(run, entry, eventAttempts, {
    decision,
    eventId: claimedEventId(event) ?? "",
    failedAt: now,
    attempt: attemptOf(run, result, now, 0)
  })
})
