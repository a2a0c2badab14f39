/** `job-collector dlq …`: what waits for its next attempt. */
import { Clock, Console, Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { fieldsToObject } from "../domain/events/entry.ts"
import { instant } from "../domain/events/instant.ts"
import { printable } from "../domain/text/printable.ts"
import { type DlqItem, dlqItem, scan } from "../programs/operator/redrive.ts"
import { json } from "./flags.ts"
import { boundsOf, filters, isOrigin, limit, operating } from "./operator.ts"

const dueIn = (notBefore: number, now: number): string =>
  notBefore <= now ? "due" : `due in ${Math.ceil((notBefore - now) / 1_000)} s`

const lineOf = ({ eventId, id, retry }: DlqItem, now: number): string =>
  retry === undefined
    ? `${id}  unreadable: it does not decode, and is abandoned as invalid when it is read`
    : printable(
        `${id}  ${eventId ?? "-"}  attempt ${retry.attempt} failed ${instant(retry.last_failed_at)}, ${dueIn(retry.not_before, now)}  ` +
          `${retry.origin_stream} ${retry.origin_id}  ${retry.error_code}: ${retry.error_message}`
      )

const list = Command.make(
  "list",
  {
    ...filters,
    reason: Flag.String("reason").pipe(
      Flag.withDescription("Only failures of this error code, such as HTTP_503 or TIMEOUT"),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    limit,
    json
  },
  (flags) =>
    operating(({ sets, streams }) =>
      Effect.gen(function* () {
        const bounds = yield* boundsOf(flags)
        const now = yield* Clock.currentTimeMillis
        let shown = 0
        yield* Stream.fromIterable(sets).pipe(
          Stream.flatMap((set) => Stream.map(scan(streams, set.dlq, bounds), (entry) => dlqItem(set.dlq, entry))),
          Stream.filter(({ retry }) => isOrigin(sets, flags.stream, retry?.origin_stream)),
          Stream.filter(({ retry }) => flags.reason === undefined || retry?.error_code === flags.reason),
          Stream.take(flags.limit),
          Stream.runForEach((item) => {
            shown += 1
            const { event, eventId, id, retry, stream } = item
            return Console.log(
              flags.json
                ? JSON.stringify({ stream, id, event_id: eventId, retry, event: fieldsToObject(event) })
                : lineOf(item, now)
            )
          })
        )
        if (!flags.json) yield* Console.log(shown === 0 ? "nothing waits" : `${shown} waiting`)
      })
    )
).pipe(Command.withDescription("Shows what failed and waits for its next attempt; with --json one object a line"))

export const dlq = Command.make("dlq").pipe(
  Command.withDescription("See what waits in the dead letter queue"),
  Command.withSubcommands([list])
)
