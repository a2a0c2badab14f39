/** `--wait`: replayed events followed to their end. */
import { Effect } from "effect"
import { Flag } from "effect/cli"
import { Follower } from "../programs/operator/follow.ts"
import type { AbandonedItem } from "../programs/operator/redrive.ts"
import { Misused, type Operated } from "./operator.ts"
import { counted, printAside, printJson, printLine } from "./output.ts"
import { progressLine } from "./progress.ts"

export const wait = Flag.Boolean("wait").pipe(
  Flag.withDescription("Follow them to their end; exit 1 if one was abandoned"),
  Flag.withDefault(false)
)

/** Follows events as they are put back, and then to their end. */
export const waiter = ({ group, sets, streams }: Operated, asJson: boolean) => {
  const follower = new Follower(streams, group, sets)
  let total = 0
  return {
    begin: follower.begin,
    note: ({ abandoned, eventId }: AbandonedItem, to: string, newId: string): void => {
      total += 1
      const origin = abandoned && { stream: abandoned.origin_stream, id: abandoned.origin_id }
      follower.follow({ eventId, stream: to, id: newId }, origin)
    },
    toTheEnd: Effect.gen(function* () {
      const progress = yield* progressLine("ended", total)
      let acknowledged = 0
      let abandonedAgain = 0
      const summary = () => `${counted(acknowledged)} acknowledged, ${counted(abandonedAgain)} abandoned again`
      const round = Effect.gen(function* () {
        for (const happening of yield* follower.look) {
          if (happening._tag === "Acknowledged") acknowledged += 1
          if (happening._tag === "Abandoned" && happening.event !== undefined) abandonedAgain += 1
        }
        yield* progress.step(acknowledged + abandonedAgain)
        if (follower.size > 0) yield* Effect.sleep("500 millis")
      })
      yield* Effect.whileLoop({ while: () => follower.size > 0, body: () => round, step: () => {} }).pipe(
        Effect.onInterrupt(() =>
          Effect.andThen(
            progress.end,
            printAside(
              `stopped waiting: ${summary()}, ${counted(follower.size)} on their way; they go on without this command`
            )
          )
        )
      )
      yield* progress.end
      yield* asJson ? printJson({ acknowledged, abandoned_again: abandonedAgain }) : printLine(summary())
      if (abandonedAgain > 0)
        return yield* new Misused({ problem: `${counted(abandonedAgain)} of ${counted(total)} were abandoned again` })
    })
  }
}
