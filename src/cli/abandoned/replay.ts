import { Effect, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { printable } from "../../domain/text/printable.ts"
import type { FailedEntry } from "../../programs/operator/failedEntry.ts"
import { abandonedItem, leave, makeFateOf, oneMore, replay as replayAll } from "../../programs/operator/redrive.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { actFlags, all } from "../acting.ts"
import { filters, ids, limit } from "../filters.ts"
import { CountFlag, json, TextFlag } from "../flags.ts"
import { Misused, operating } from "../operator.ts"
import { abandonedColumns, actOn } from "../redriving.ts"
import { wait, waiter } from "../waiting.ts"
import { abandonedSource } from "./entries.ts"

/** An event that nobody reads would be as good as lost. */
const mustBeRead = (streams: EventStreams["Service"], key: string): Effect.Effect<void, EventStreamsError | Misused> =>
  streams.streamInfo(key).pipe(
    Effect.map((info) => info !== undefined && info.groups > 0),
    Effect.catchReason("EventStreamsError", "WrongType", () => Effect.succeed(false)),
    Effect.flatMap((isRead) =>
      isRead
        ? Effect.void
        : Effect.fail(new Misused({ problem: `--to-stream ${printable(key)}: no consumer group reads such a stream` }))
    )
  )

const itemOf = ({ fields, id, stream }: FailedEntry) => abandonedItem(stream, { id, fields })

export const replay = Command.make(
  "replay",
  {
    ids,
    ...filters,
    limit,
    all,
    toStream: TextFlag("to-stream", "Put them into this stream, not where each came from"),
    rate: CountFlag("rate", "Maximum replays per second (default 100)").pipe(Flag.withDefault(100)),
    wait,
    ...actFlags,
    json
  },
  (flags) =>
    operating(
      Effect.fnUntraced(function* (operated) {
        const { sets, streams } = operated
        if (flags.toStream !== undefined) yield* mustBeRead(streams, flags.toStream)
        const fateOf = makeFateOf(sets, flags.toStream)
        const followed = waiter(operated, flags.json)
        yield* actOn(operated, {
          action: "abandoned replay",
          verb: "Replay",
          done: "replayed",
          source: abandonedSource(operated),
          flags,
          named: flags.ids,
          count: (progress, entry) => {
            const fate = fateOf(itemOf(entry))
            return fate._tag === "PutBack" ? oneMore(progress) : leave(progress, fate)
          },
          work: (entries, step) =>
            replayAll(
              streams,
              Stream.map(entries, itemOf),
              flags.rate,
              fateOf,
              step,
              flags.wait ? followed.note : undefined
            ),
          ...(flags.wait ? { before: () => followed.begin, after: () => followed.toTheEnd } : undefined),
          columns: abandonedColumns(sets)
        })
      })
    )
).pipe(
  Command.withDescription(
    "Put events back at the end of their streams with their attempts reset; can be interrupted and run again"
  )
)
