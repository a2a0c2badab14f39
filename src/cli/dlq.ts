/** `job-collector dlq …`: what waits for its next attempt. */
import { Clock, Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { fieldsToObject, shownEventId } from "../domain/events/entry.ts"
import { instant } from "../domain/events/instant.ts"
import { type DlqItem, dlqItem, scan } from "../programs/operator/redrive.ts"
import { json } from "./flags.ts"
import { printListing } from "./listing.ts"
import { boundsOf, filters, limit, operating, originsOf } from "./operator.ts"

const seconds = (millis: number): string => `${Math.ceil(millis / 1_000)} s`

const dueIn = (notBefore: number, now: number): string =>
  notBefore > now ? `due in ${seconds(notBefore - now)}` : `overdue by ${seconds(now - notBefore)}`

const rowOf = ({ eventId, id, retry }: DlqItem, now: number): string =>
  retry === undefined
    ? `${id}  unreadable: it does not decode, and will be abandoned as invalid when it is read`
    : `${id}  ${shownEventId(eventId ?? "-")}  attempt ${retry.attempt} failed ${instant(retry.last_failed_at)}, ` +
      `${dueIn(retry.not_before, now)}  ${retry.origin_stream} ${retry.origin_id}  ${retry.error_code}: ${retry.error_message}`

const reason = Flag.String("reason").pipe(
  Flag.filter(
    (code) => /^(?:HTTP_\d{3}|TIMEOUT|NETWORK|BAD_RESPONSE)$/.test(code),
    () => "HTTP_<status>, TIMEOUT, NETWORK or BAD_RESPONSE"
  ),
  Flag.withDescription("Only failures with this error code, such as HTTP_503 or TIMEOUT"),
  Flag.optional,
  Flag.map(Option.getOrUndefined)
)

const list = Command.make("list", { ...filters, reason, limit, json }, (flags) =>
  operating(
    Effect.fnUntraced(function* (operated) {
      const { sets, streams } = operated
      const bounds = yield* boundsOf(flags)
      const origins = yield* originsOf(operated, flags.stream)
      const now = yield* Clock.currentTimeMillis
      const items = Stream.fromIterable(sets).pipe(
        Stream.flatMap((set) =>
          Stream.map(scan(streams, set.dlq, bounds, "newest first"), (entry) => dlqItem(set.dlq, entry))
        ),
        Stream.filter(
          ({ retry }) =>
            (origins === undefined || (retry !== undefined && origins.has(retry.origin_stream))) &&
            (flags.reason === undefined || retry?.error_code === flags.reason)
        )
      )
      yield* printListing(items, {
        limit: flags.limit,
        json: flags.json,
        value: ({ event, eventId, id, retry, stream }) => ({
          stream,
          id,
          event_id: eventId ?? null,
          retry: retry ?? null,
          event: fieldsToObject(event)
        }),
        row: (item) => rowOf(item, now),
        none: "no event is waiting for a retry",
        what: "waiting"
      })
    })
  )
).pipe(Command.withDescription("List the events that are waiting for a retry, newest first"))

export const dlq = Command.make("dlq").pipe(Command.withSubcommands([list]))
