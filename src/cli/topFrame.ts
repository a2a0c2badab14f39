/** A frame of `top`: the verdict first, then what there is room for, the worst on top. */
import { instant } from "../domain/events/instant.ts"
import type { ReplicaFigures } from "../domain/replicas/replicaFigures.ts"
import type { Verdict } from "../domain/replicas/verdict.ts"
import { cut, printable } from "../domain/text/printable.ts"
import { shortSpan } from "../domain/text/relativeTime.ts"
import { ruleName } from "../domain/traffic/rules.ts"
import type { Glance, StreamGlance } from "../programs/operator/glance.ts"
import { counted } from "./output.ts"
import { bold, dim, green, red, type Screen, yellow } from "./screen.ts"
import { type Column, tableLines } from "./table.ts"

const rate = (perSecond: number | undefined): string =>
  perSecond === undefined ? "?" : perSecond >= 100 ? counted(Math.round(perSecond)) : perSecond.toFixed(1)

const millis = (ms: number | null): string => (ms === null ? "-" : `${counted(ms)} ms`)

const megabytes = (bytes: number | null): string => (bytes === null ? "-" : `${counted(Math.round(bytes / 1e6))} MB`)

const colourOf = { good: green, warning: yellow, bad: red } as const satisfies Record<Verdict["level"], unknown>

/** Text in lines of a width, broken between words. */
const wrapped = (text: string, width: number | undefined): ReadonlyArray<string> => {
  if (width === undefined) return [text]
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(cut(word, width))
  }
  return lines
}

/** How bad a replica is off: what sorts first. */
const troubleOf = ({ circuit, problems, status }: ReplicaFigures): number =>
  (status === "down" ? 4 : status === "degraded" ? 2 : 0) + (circuit === "open" ? 3 : 0) + (problems.length > 0 ? 1 : 0)

const replicaTrouble = (a: ReplicaFigures, b: ReplicaFigures): number =>
  troubleOf(b) - troubleOf(a) || (b.api_p95_ms ?? 0) - (a.api_p95_ms ?? 0) || (a.consumer < b.consumer ? -1 : 1)

const streamTrouble = (a: StreamGlance, b: StreamGlance): number =>
  Number(b.length > 0 && !b.read) - Number(a.length > 0 && !a.read) ||
  Number(b.lag === undefined) - Number(a.lag === undefined) ||
  (b.lag ?? 0) - (a.lag ?? 0) ||
  b.pending - a.pending ||
  (a.stream < b.stream ? -1 : 1)

const stateOf = ({ circuit, status }: ReplicaFigures): string => (circuit === "open" ? "circuit open" : status)

const colourState = (text: string, screen: Screen): string =>
  text.trim() === "ok" ? text : text.trim() === "degraded" ? yellow(text, screen) : red(text, screen)

const streamColumns = (several: boolean): ReadonlyArray<Column<StreamGlance>> => [
  { title: "STREAM", cell: ({ label, stream }) => (several ? stream : label), most: 40 },
  { title: "LENGTH", cell: ({ length }) => counted(length), right: true },
  {
    title: "UNREAD",
    cell: ({ lag, read }) => (read ? (lag === undefined ? "?" : counted(lag)) : "no group"),
    right: true
  },
  { title: "PENDING", cell: ({ pending }) => counted(pending), right: true },
  { title: "IN/S", cell: ({ arriving }) => rate(arriving), right: true }
]

const replicaColumns = (now: number): ReadonlyArray<Column<ReplicaFigures>> => [
  { title: "REPLICA", cell: ({ consumer }) => consumer, most: 22 },
  { title: "STATE", cell: stateOf, colour: colourState },
  { title: "OUT/S", cell: ({ rate: out }) => rate(out), right: true },
  { title: "BUSY", cell: ({ in_flight, permits }) => `${in_flight}/${permits}`, right: true },
  { title: "HELD", cell: ({ held }) => counted(held), right: true, optional: 3 },
  { title: "P50", cell: ({ api_p50_ms }) => millis(api_p50_ms), right: true, optional: 4 },
  { title: "P95", cell: ({ api_p95_ms }) => millis(api_p95_ms), right: true },
  { title: "CPU", cell: ({ cpu }) => (cpu === null ? "-" : `${Math.round(cpu * 100)} %`), right: true, optional: 1 },
  { title: "MEM", cell: ({ memory_bytes }) => megabytes(memory_bytes), right: true, optional: 2 },
  { title: "UP", cell: ({ started_at }) => shortSpan(now - started_at), right: true, optional: 5 },
  {
    title: "CONFIG",
    cell: ({ config_version }) => (config_version === 0 ? "-" : `${config_version}`),
    right: true,
    optional: 6
  },
  { title: "KEY", cell: ({ key_id }) => key_id.slice(0, 8), optional: 8 },
  { title: "VERSION", cell: ({ version }) => version, optional: 7 }
]

/** At most so many lines; where there were more, the last says how many. */
const within = (lines: ReadonlyArray<string>, most: number, what: string, screen: Screen): ReadonlyArray<string> =>
  lines.length <= most
    ? lines
    : [
        ...lines.slice(0, Math.max(0, most - 1)),
        dim(`… and ${counted(lines.length - Math.max(0, most - 1))} more ${what}`, screen)
      ]

/** What is wrong, in the replicas' own words, each once and with how many say so. */
const problemLines = (running: ReadonlyArray<ReplicaFigures>, screen: Screen): ReadonlyArray<string> => {
  const saying = new Map<string, Array<string>>()
  for (const { consumer, problems } of running) {
    for (const problem of problems) saying.set(problem, [...(saying.get(problem) ?? []), consumer])
  }
  return [...saying].map(([problem, [first = "", ...others]]) => {
    const who = others.length === 0 ? first : `${first} and ${others.length} more`
    const line = printable(`${who}: ${problem}`)
    return yellow(screen.columns === undefined ? line : cut(line, screen.columns), screen)
  })
}

/** The lines of a frame; of at most so many rows where there is a terminal. */
export const frameOf = (seen: Glance, screen: Screen, rows: number | undefined): ReadonlyArray<string> => {
  const { columns } = screen
  const fitted = (line: string): string => (columns === undefined ? line : cut(line, columns))
  const running = seen.replicas.toSorted(replicaTrouble)
  const { length, oldestAt } = seen.abandoned
  const oldest = oldestAt === undefined ? "" : `, first ${shortSpan(seen.at - oldestAt)} ago`
  const dlq = seen.streams.reduce((total, stream) => total + (stream.label === "dlq" ? stream.length : 0), 0)
  const title = printable(`job-collector top · ${seen.group} · ${instant(seen.at).slice(0, 19).replace("T", " ")} UTC`)
  const figures = [
    `in ${rate(seen.arriving)}/s`,
    `out ${rate(seen.delivered)}/s`,
    `unread ${seen.backlog === undefined ? "?" : counted(seen.backlog)}`,
    `to retry ${counted(dlq)}`,
    `abandoned ${counted(length)}${oldest}`
  ].join(" · ")
  const rules = seen.rules.map((rule) =>
    fitted(
      printable(
        `rule: ${ruleName(rule)}, by ${rule.by}, ${rule.until === undefined ? "until it is lifted" : `until ${instant(rule.until).slice(0, 19)}Z`}`
      )
    )
  )
  const head = [
    dim(fitted(title), screen),
    ...wrapped(printable(seen.verdict.text), columns).map((line) =>
      bold(colourOf[seen.verdict.level](line, screen), screen)
    ),
    fitted(figures),
    ...within(rules, rows === undefined ? rules.length : 2, "rules", screen)
  ]
  const several = seen.streams.length > 3
  const streams = tableLines(streamColumns(several), seen.streams.toSorted(streamTrouble), screen)
  const table = tableLines(replicaColumns(seen.at), running, screen)
  const problems = problemLines(running, screen)
  const unreadable =
    seen.unreadable === 0
      ? []
      : [
          dim(
            fitted(`${counted(seen.unreadable)} more replicas tell of themselves in another way: another version`),
            screen
          )
        ]
  const none = running.length === 0 ? [] : ["", ...table]
  if (rows === undefined) return [...head, "", ...streams, ...none, ...unreadable, ...problems]
  // Most of what is left is the replicas'.
  const space = rows - head.length - 2
  const shownStreams = within(streams, Math.max(2, Math.floor(space / 3) + 1), "streams", screen)
  const shownProblems = within(problems, Math.floor(space / 6), "problems", screen)
  const left = space - shownStreams.length - shownProblems.length - unreadable.length
  const shown = running.length === 0 ? [] : ["", ...within(table, left, "replicas", screen)]
  return [...head, "", ...shownStreams, ...shown, ...unreadable, ...shownProblems].slice(0, rows)
}
