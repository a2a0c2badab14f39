/** An event's story, from what Redis holds of it (contract section 1, `why`). */
import { Clock, Effect } from "effect"
import type { Abandoned } from "../../domain/delivery/dlq.ts"
import type { Outcome } from "../../domain/delivery/outcome.ts"
import { instant } from "../../domain/events/instant.ts"
import type { KnownStreams } from "../../domain/options/knownStreams.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { Chapter, SourceState } from "./eventChapters.ts"
import { findEvent, type Search, type Searched } from "./eventSearch.ts"

export interface Story {
  readonly eventId: string
  readonly chapters: ReadonlyArray<Chapter>
  readonly verdict: string
  readonly searched: Searched
}

const sourceVerdicts: Readonly<Record<Exclude<SourceState, "pending">, string>> = {
  waiting: "it is waiting to be read",
  unread: "it is not read: the consumer group does not exist yet, and will start at GROUP_START_ID",
  acknowledged: "it was acknowledged; no outcome was kept: it was delivered, or abandoned and since dropped",
  skipped: "it was skipped: it lies before the start of the consumer group, which never read it",
  passed:
    "the consumer group is past it; Redis does not say whether it was acknowledged or skipped when the group was created"
}

/** The only rules that a replay does not apply again. */
const firstReadingOnly = /EVENT_MAX_(?:AGE|SKEW)/

const abandonedVerdict = (id: string, { error_code, error_message, reason }: Abandoned): string => {
  const said = `it was abandoned as ${reason} (${error_code})`
  return reason === "invalid" && !firstReadingOnly.test(error_message)
    ? `${said}; a replay would fail the same way: the producer must send it again, corrected`
    : `${said}; \`abandoned replay ${id}\` puts it back`
}

const deliveredVerdict = ({ at, attempts, credits, job_id }: Outcome): string =>
  `it was delivered ${instant(at)} at attempt ${attempts}: job ${job_id ?? "unknown"}, ${
    credits === null ? "the API did not say how many credits" : `${credits} credits`
  }`

const seconds = (millis: number): string => `${Math.max(0, Math.ceil(millis / 1_000))} s`

/** What the chapters come to, the latest first. */
const verdictOf = (chapters: ReadonlyArray<Chapter>, isWhole: boolean, now: number): string => {
  const abandoned = chapters.findLast((chapter) => chapter.place === "abandoned")
  const dlq = chapters.findLast((chapter) => chapter.place === "dlq")
  const source = chapters.findLast((chapter) => chapter.place === "source")
  if (source?.state === "pending") {
    const { consumer, deliveries, idle } = source.holding ?? { consumer: "unknown", deliveries: 0, idle: 0 }
    return `it is held by ${consumer}, last renewed ${seconds(idle)} ago, handed out ${deliveries} times`
  }
  if (source?.state === "waiting") return sourceVerdicts.waiting
  if (dlq !== undefined) {
    const { attempt, error_code, not_before } = dlq.retry
    const due = not_before > now ? `due in ${seconds(not_before - now)}` : `overdue by ${seconds(now - not_before)}`
    return `attempt ${attempt} failed with ${error_code}; the next one is ${due}`
  }
  const [outcome] = chapters
    .flatMap((chapter) => (chapter.place === "outcome" ? [chapter.outcome] : []))
    .toSorted((a, b) => b.at - a.at)
  if (outcome !== undefined && outcome.at >= (abandoned?.abandoned.abandoned_at ?? 0)) return deliveredVerdict(outcome)
  if (abandoned !== undefined) return abandonedVerdict(abandoned.id, abandoned.abandoned)
  if (source !== undefined) return sourceVerdicts[source.state]
  return isWhole
    ? "nothing is known of it: it was never sent, or is older than the search, or its entry was trimmed or deleted"
    : "nothing was found of it as far as was looked"
}

/** Looks for an event, and says what was found. */
export const tell = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  group: string,
  sets: ReadonlyArray<KnownStreams>,
  eventId: string,
  search: Search
): Effect.fn.Return<Story, EventStreamsError> {
  const { chapters, searched } = yield* findEvent({ streams, group, sets, eventId }, search)
  const verdict = verdictOf(chapters, searched.isWhole, yield* Clock.currentTimeMillis)
  return { eventId, chapters, verdict, searched }
})
