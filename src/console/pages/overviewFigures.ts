/** The figures of the overview, each on a tile: the number, what it means, and how it went in the last hours. */
import type { Counted, Minute } from "../../domain/replicas/minutes.ts"
import { secondsToClear, spanOf } from "../../domain/replicas/verdict.ts"
import { shortSpan } from "../../domain/text/relativeTime.ts"
import type { Overview } from "../../programs/operator/overview.ts"
import { type Html, html } from "../html.ts"
import { bytes, counted, rate, time } from "./shown.ts"
import { sparkline } from "./sparkline.ts"

/** So far back the small charts go, in so many steps. */
export const chartedMs = 3 * 3_600_000
const steps = 90

const isOfDlq = (label: string): boolean => label.startsWith("dlq")

/** What was counted in each step, of the sources alone or of all streams. The minute that goes on is left out: it is not whole. */
const charted = (
  minutes: ReadonlyArray<Minute>,
  now: number,
  what: ReadonlyArray<Counted>,
  sourcesOnly = false
): ReadonlyArray<number> => {
  const values = Array.from({ length: steps }, () => 0)
  const from = Math.floor(now / 60_000) * 60_000 - chartedMs
  for (const { at, streams } of minutes) {
    const step = Math.floor(((at - from) / chartedMs) * steps)
    if (step < 0 || step >= steps) continue
    for (const [label, counts] of streams) {
      if (sourcesOnly && isOfDlq(label)) continue
      for (const each of what) values[step] = (values[step] ?? 0) + counts[each]
    }
  }
  return values
}

const total = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

const chart = (values: ReadonlyArray<number>, what: string): Html =>
  sparkline(
    values,
    `${what}, the last ${shortSpan(chartedMs)}: ${counted(total(values))} in all, at most ${counted(Math.max(...values))} in ${shortSpan(chartedMs / steps)}`
  )

interface Tile {
  readonly id: string
  readonly title: string
  readonly value: Html
  readonly hint: Html
  readonly chart?: Html
  readonly tone?: "bad" | "attention" | undefined
}

const tile = ({ chart, hint, id, title, tone, value }: Tile): Html =>
  html`<div class="tile ${tone}" id="figure-${id}"><dt>${title}</dt><dd class="value">${value}</dd><dd class="hint">${hint}</dd>${
    chart === undefined ? undefined : html`<dd>${chart}</dd>`
  }</div>`

const unknown = html`<abbr title="Redis does not say">?</abbr>`
const nothing = html`–`

const meter = (used: number, most: number, said: string): Html =>
  html`<progress max="${Math.max(1, most)}" value="${Math.min(used, most)}" aria-label="${said}"></progress>`

const waiting = (seen: Overview): Tile => {
  const { backlog } = seen
  const clears = secondsToClear(seen)
  const eta =
    backlog === undefined || backlog === 0
      ? html`not read yet`
      : clears === undefined
        ? html`not read yet; ${seen.arriving === undefined ? "how fast they go is known in a moment" : "not getting fewer"}`
        : html`not read yet; gone in ${spanOf(clears)}`
  return {
    id: "waiting",
    title: "Waiting",
    value: backlog === undefined ? unknown : html`${counted(backlog)}`,
    hint: eta
  }
}

const inFlight = ({ replicas }: Overview): Tile => {
  const busy = replicas.reduce((sum, { in_flight }) => sum + in_flight, 0)
  const permits = replicas.reduce((sum, replica) => sum + replica.permits, 0)
  const held = replicas.reduce((sum, replica) => sum + replica.held, 0)
  return {
    id: "in-flight",
    title: "In flight",
    value: html`${counted(busy)} <small>of ${counted(permits)}</small>`,
    hint: html`${held === 0 ? "permits in use" : `${counted(held)} more held back`}`,
    chart: meter(busy, permits, `${busy} of ${permits} permits`)
  }
}

const toRetry = ({ at, nextDue, streams }: Overview): Tile => ({
  id: "dlq",
  title: "To retry",
  value: html`<a href="/failures?place=dlq">${counted(streams.reduce((sum, { label, length }) => sum + (label === "dlq" ? length : 0), 0))}</a>`,
  hint: nextDue === undefined ? html`none is due` : html`next due ${time(nextDue, at)}`,
  tone: nextDue !== undefined && nextDue < at - 60_000 ? "attention" : undefined
})

const abandoned = ({ abandoned: { length, oldestAt }, at, minutes, recent }: Overview): Tile => ({
  id: "abandoned",
  title: "Abandoned",
  value: html`<a href="/failures?place=abandoned">${counted(length)}</a>`,
  hint: html`${oldestAt === undefined || length === 0 ? "none" : html`oldest ${time(oldestAt, at)}`}; ${counted(recent.count)}${recent.isMore ? "+" : undefined} in the last hour`,
  chart: chart(charted(minutes, at, ["abandoned"]), "Abandoned"),
  tone: length > 0 ? "attention" : undefined
})

const success = ({ at, minutes }: Overview): Tile => {
  const since = at - 3_600_000
  const lately = minutes.filter((minute) => minute.at >= since)
  const made = total(charted(lately, at, ["delivered"]))
  const failed = total(charted(lately, at, ["retried", "abandoned"]))
  return {
    id: "success",
    title: "Success",
    value:
      made + failed === 0
        ? nothing
        : html`${((100 * made) / (made + failed)).toFixed(made === made + failed ? 0 : 1)} %`,
    hint: html`of ${counted(made + failed)} attempts in an hour`,
    chart: chart(charted(minutes, at, ["retried", "abandoned"]), "Failed attempts"),
    tone: failed > made ? "bad" : undefined
  }
}

const circuits = ({ at, replicas }: Overview): Tile => {
  const open = replicas.filter(({ circuit }) => circuit === "open")
  const parts = replicas.reduce((sum, { open_partitions }) => sum + open_partitions, 0)
  const probe = Math.min(...open.map(({ next_probe_at }) => next_probe_at ?? Number.POSITIVE_INFINITY))
  const value =
    replicas.length === 0
      ? nothing
      : open.length > 0
        ? html`${open.length} open`
        : parts > 0
          ? html`${parts} open`
          : html`closed`
  return {
    id: "circuits",
    title: "Circuits",
    value,
    hint:
      open.length > 0
        ? html`of ${replicas.length} replicas${Number.isFinite(probe) ? html`, probe ${time(probe, at)}` : undefined}`
        : html`${parts > 0 ? "of a model or a user" : "the API answers"}`,
    tone: open.length > 0 ? "bad" : parts > 0 ? "attention" : undefined
  }
}

const memory = ({ memory }: Overview): Tile => {
  const about = { id: "memory", title: "Redis memory" }
  if (memory === undefined) return { ...about, value: nothing, hint: html`the user may not run INFO` }
  const { limit, used } = memory
  if (limit === 0) return { ...about, value: html`${bytes(used)}`, hint: html`no limit is set` }
  const share = used / limit
  return {
    ...about,
    value: html`${bytes(used)}`,
    hint: html`${Math.round(100 * share)} % of ${bytes(limit)}`,
    chart: meter(used, limit, `${Math.round(100 * share)} % used`),
    tone: share >= 0.9 ? "bad" : share >= 0.75 ? "attention" : undefined
  }
}

export const tiles = (seen: Overview): Html => {
  const { arriving, at, delivered, minutes } = seen
  const all: ReadonlyArray<Tile> = [
    {
      id: "in",
      title: "In per second",
      value: html`${rate(arriving)}`,
      hint: arriving === undefined ? html`known in a moment` : html`events that come`,
      chart: chart(charted(minutes, at, ["received"], true), "Read")
    },
    {
      id: "out",
      title: "Out per second",
      value: html`${rate(delivered)}`,
      hint: html`delivered`,
      chart: chart(charted(minutes, at, ["delivered"]), "Delivered")
    },
    waiting(seen),
    inFlight(seen),
    success(seen),
    toRetry(seen),
    abandoned(seen),
    circuits(seen),
    memory(seen)
  ]
  return html`<dl class="tiles">${all.map(tile)}</dl>`
}
