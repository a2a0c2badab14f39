/** An incident's report as Markdown, to be sent or kept. */
import type { AuditRecord } from "../../domain/audit/auditRecord.ts"
import { instant } from "../../domain/events/instant.ts"
import { longSpan } from "../../domain/text/relativeTime.ts"
import type { Group } from "./groups.ts"
import type { Report } from "./report.ts"

const grouped = new Intl.NumberFormat("en-US")
const counted = (count: number): string => grouped.format(count)
const plural = (count: number, one: string, several = `${one}s`): string =>
  `${counted(count)} ${count === 1 ? one : several}`

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

export const markdown = (report: Report, filter: string, now: number): ReadonlyArray<string> => {
  const { abandoned, acts, first, groups, isWhole, last, looked, waiting } = report
  const total = abandoned + waiting
  return [
    `# Incident report of ${instant(now)}`,
    "",
    ...(filter === "" ? [] : [`Of the failures that match ${cell(filter)}.`, ""]),
    ...(isWhole
      ? []
      : [
          `Only the latest ${plural(looked, "entry", "entries")} were looked at: there may be more than is told here.`,
          ""
        ]),
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
