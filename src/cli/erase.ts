/** `job-collector erase --user <id>`: a user's events removed from where failures are kept, with a receipt. */
import { sha256 } from "@noble/hashes/sha2.js"
import { Clock, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Hex } from "effect/encoding"
import { instant } from "../domain/events/instant.ts"
import { leftInSources } from "../programs/operator/erase.ts"
import type { Place } from "../programs/operator/failedEntry.ts"
import { drop, dropRetries, handled, type Progress } from "../programs/operator/redrive.ts"
import { noFilters, type Survey, select, survey, surveyedEntries } from "../programs/operator/selection.ts"
import { actFlags, confirm, events } from "./acting.ts"
import { noteInAudit, whoOf } from "./audited.ts"
import { json } from "./flags.ts"
import { operating } from "./operator.ts"
import { counted, plural, printAside, printJson, printLines } from "./output.ts"
import { progressLine } from "./progress.ts"

const encoder = new TextEncoder()

const user = Flag.String("user").pipe(
  Flag.filter(
    (id) => id !== "",
    () => "a user's id"
  ),
  Flag.withMetavar("id"),
  Flag.withDescription("Whose events to remove")
)

export const erase = Command.make("erase", { user, ...actFlags, json }, (flags) =>
  operating(
    Effect.fnUntraced(function* (operated) {
      const { group, sets, streams } = operated
      const looking = yield* progressLine("looked at", undefined)
      let unreadable = 0
      const look = Effect.fnUntraced(function* (place: Place) {
        const source = { streams, sets, place }
        const selection = yield* select(source, { ...noFilters, users: [flags.user] })
        const all = {
          ...selection,
          matches: (entry: Parameters<typeof selection.matches>[0]) => {
            if (entry.event === undefined) unreadable += 1
            return selection.matches(entry)
          }
        }
        const found: Survey = yield* survey(source, all, Number.MAX_SAFE_INTEGER, undefined, looking.step)
        return { total: found.total, entries: surveyedEntries(source, selection, found) }
      })
      const abandoned = yield* look("abandoned")
      const dlq = yield* look("dlq")
      yield* looking.end
      const total = abandoned.total + dlq.total
      const isReal = total > 0 && !flags.dryRun
      if (isReal) yield* confirm(flags, `Delete ${events(total)} of this user for good?`)
      const removed = { abandoned: 0, dlq: 0 }
      // The audit outlives the user's events: it has no more of the id than tells whether a receipt belongs to it.
      const digest = Hex.encode(sha256(encoder.encode(flags.user)))
      const note = Effect.suspend(() =>
        noteInAudit(operated, flags, {
          action: "erase",
          target: `user sha256:${digest.slice(0, 16)}`,
          count: removed.abandoned + removed.dlq
        })
      )
      if (isReal) {
        const deleting = yield* progressLine("removed", total)
        let before = 0
        const step = (place: keyof typeof removed) => (now: Progress) => {
          removed[place] = now.done
          return deleting.step(before + handled(now))
        }
        const stopped = Effect.suspend(() =>
          Effect.andThen(
            Effect.andThen(deleting.end, note),
            printAside(
              `stopped: ${counted(removed.abandoned + removed.dlq)} of ${events(total)} removed; run the same command again to remove the rest`
            )
          )
        )
        yield* Effect.gen(function* () {
          before = handled(yield* drop(streams, abandoned.entries, step("abandoned")))
          yield* dropRetries(streams, group, dlq.entries, step("dlq"))
        }).pipe(Effect.onInterrupt(() => stopped))
        yield* deleting.end
        yield* note
      }
      const left = yield* leftInSources(streams, sets, flags.user, looking.step)
      yield* looking.end
      const at = instant(yield* Clock.currentTimeMillis)
      const by = yield* whoOf(flags.as)
      if (flags.json) {
        return yield* printJson({
          dry_run: flags.dryRun,
          user_id: flags.user,
          user_sha256: digest,
          at,
          by,
          matched: { abandoned: abandoned.total, dlq: dlq.total },
          removed,
          left: left.map(({ entries, firstId, lastId, outcomes, stream }) => ({
            stream,
            entries,
            first_id: firstId ?? null,
            last_id: lastId ?? null,
            outcomes
          })),
          unreadable
        })
      }
      const verb = flags.dryRun ? "would be removed" : "removed"
      const shown = flags.dryRun ? { abandoned: abandoned.total, dlq: dlq.total } : removed
      yield* printLines([
        ...(total === 0 ? ["Neither the DLQ nor the abandoned stream has an event of this user."] : []),
        `Receipt of ${at}, by ${by}`,
        `  user              ${flags.user}`,
        `  user's SHA-256    ${digest}`,
        `  ${verb}${" ".repeat(Math.max(1, 18 - verb.length))}${counted(shown.abandoned)} abandoned, ${counted(shown.dlq)} waiting for a retry`,
        ...left.map(({ entries, firstId, lastId, outcomes, stream }) =>
          entries === 0
            ? `  left              nothing in ${stream}`
            : `  left              ${plural(entries, "entry", "entries")} in ${stream}, ${firstId} to ${lastId}; ${plural(outcomes, "kept outcome")}`
        ),
        ...(unreadable > 0
          ? [`  not known         ${plural(unreadable, "entry", "entries")} that cannot be read may be of any user`]
          : []),
        ...(left.some(({ entries }) => entries > 0)
          ? [
              "Source streams belong to their producers, who trim them. What is not delivered yet may still fail and come to the DLQ:",
              "run this again when it has been."
            ]
          : [])
      ])
    })
  )
)
