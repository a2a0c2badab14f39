/** `job-collector report`: an incident on one page, to be sent or kept. */
import { Clock, Effect, Result } from "effect"
import { Command } from "effect/cli"
import type { AuditRecord } from "../domain/audit/auditRecord.ts"
import { instant } from "../domain/events/instant.ts"
import { longSpan } from "../domain/text/relativeTime.ts"
import type { Group } from "../programs/operator/groups.ts"
import { makeReport, type Report } from "../programs/operator/report.ts"
import { filtersText, isFiltered, select } from "../programs/operator/selection.ts"
import { filters, filtersOf } from "./filters.ts"
import { json } from "./flags.ts"
import { operating } from "./operator.ts"
import { counted, plural, printJson, printLines } from "./output.ts"
import { progressLine } from "./progress.ts"

/** Rows of each table. */
const mostRows = 10

/** Text in a cell of a Markdown table, and none of its marks. */
const cell = (text: string): string => text.replace(/[\\`*_{}[\]<>()#|!~]/g, "\\$&")

const table = (title: string, name: string, groups: ReadonlyArray<Group>): ReadonlyArray<string> => [
  `## ${title}`,
  "",
  `| ${name} | events | first | last |`,
  "| --- | ---: | --- | --- |",
  ...groups
    .slice(0, mostRows)
    .map(
      ({ count, first, key, last }) => `| ${cell(key)} | ${counted(count)} | ${instant(first)} | ${instant(last)} |`
    ),
  ...(groups.length > mostRows ? [`| and ${counted(groups.length - mostRows)} more | | | |`] : []),
  ""
]

const actLine = ({ action, at, count, filter, target, who, why }: AuditRecord): string =>
  `- ${instant(at)} ${cell(who)}: ${cell([action, target, filter].filter((word) => word !== undefined).join(" "))}` +
  `${count === undefined ? "" : ` (${counted(count)})`}${why === undefined ? "" : `: ${cell(why)}`}`

const markdown = (report: Report, filter: string, now: number): ReadonlyArray<string> => {
  const { abandoned, acts, first, groups, last, waiting } = report
  const total = abandoned + waiting
  return [
    `# Incident report of ${instant(now)}`,
    "",
    ...(filter === "" ? [] : [`Of the failures that match ${cell(filter)}.`, ""]),
    ...(first === undefined || last === undefined
      ? ["No event failed."]
      : [
          `${plural(total, "event")} of ${plural(groups.user.length, "user")} failed between ${instant(first)} and ${instant(last)} ` +
            `(${longSpan(last - first)}).`,
          `${counted(abandoned)} ${abandoned === 1 ? "was" : "were"} given up and ${abandoned === 1 ? "stands" : "stand"} in the abandoned stream; ` +
            `${counted(waiting)} still ${waiting === 1 ? "waits" : "wait"} for a retry.`,
          "What was replayed or deleted since is no longer counted; what was done is listed below.",
          "",
          ...table("Errors", "error, ids and numbers as \\#", groups.error),
          ...table("Streams", "stream", groups.stream),
          ...table("Models", "model", groups.model),
          ...table("Users", "user", groups.user),
          ...table("Hours", "hour", groups.hour),
          "## What was done",
          "",
          ...(acts.length === 0 ? ["Nothing, by the audit."] : acts.map(actLine))
        ])
  ]
}

const groupValue = ({ count, first, key, last }: Group) => ({ key, count, first: instant(first), last: instant(last) })

export const report = Command.make("report", { ...filters, json }, (flags) =>
  operating(
    Effect.fnUntraced(function* ({ sets, streams }) {
      const given = yield* filtersOf(flags)
      const sources = [
        { streams, sets, place: "abandoned" as const },
        { streams, sets, place: "dlq" as const }
      ]
      const tried = yield* Effect.forEach(sources, (source) =>
        Effect.result(Effect.map(select(source, given), (selection) => [source, selection] as const))
      )
      // A reason may be known in one of the two places only.
      const selected = tried.flatMap((result) => (Result.isSuccess(result) ? [result.success] : []))
      const failed = tried.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))
      if (selected.length === 0 && failed[0] !== undefined) return yield* failed[0]
      const looking = yield* progressLine("looked at", undefined)
      const made = yield* makeReport(selected, looking.step)
      yield* looking.end
      const now = yield* Clock.currentTimeMillis
      const filter = isFiltered(given) ? filtersText(given) : ""
      if (!flags.json) return yield* printLines(markdown(made, filter, now))
      const { groups, ...rest } = made
      yield* printJson({
        at: instant(now),
        filter,
        abandoned: rest.abandoned,
        waiting: rest.waiting,
        users: groups.user.length,
        first: rest.first === undefined ? null : instant(rest.first),
        last: rest.last === undefined ? null : instant(rest.last),
        errors: groups.error.map(groupValue),
        streams: groups.stream.map(groupValue),
        models: groups.model.map(groupValue),
        top_users: groups.user.slice(0, 100).map(groupValue),
        hours: groups.hour.map(groupValue),
        acts: rest.acts.map(({ at, ...act }) => ({ at: instant(at), ...act }))
      })
    })
  )
)
