/** Overview: a verdict in words, then the figures it comes from. */
import { Effect } from "effect"
import { HttpRouter } from "effect/http"
import type { ReplicaFigures } from "../../domain/replicas/replicaFigures.ts"
import { shortSpan } from "../../domain/text/relativeTime.ts"
import { ruleName } from "../../domain/traffic/rules.ts"
import type { StreamGlance } from "../../programs/operator/glance.ts"
import type { Overview } from "../../programs/operator/overview.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { overviewNow } from "../overviewNow.ts"
import { page } from "./layout.ts"
import { chartedMs, tiles } from "./overviewFigures.ts"
import { bytes, counted, plural, rate, short, time } from "./shown.ts"
import { table } from "./table.ts"

const labels = { good: "Good", warning: "Needs attention", bad: "Needs you now" }

const verdict = ({ verdict: { level, text } }: Overview): Html => {
  const [first = "", ...more] = text.split("; ")
  return html`<section class="verdict ${level}" id="verdict" aria-label="Verdict"><p class="label">${labels[level]}</p><p class="first">${first}</p>${
    more.length === 0 ? undefined : html`<ul>${more.map((sentence) => html`<li>${short(sentence)}</li>`)}</ul>`
  }</section>`
}

const rules = ({ at, rules }: Overview): Html | undefined =>
  rules.length === 0
    ? undefined
    : html`<p class="row rules">${rules.slice(0, 10).map((rule) => html`<a class="chip" href="/traffic">${short(ruleName(rule))}${rule.until === undefined ? undefined : html`, ends ${time(rule.until, at)}`}</a>`)}${
        rules.length > 10 ? html`<a href="/traffic">and ${rules.length - 10} more</a>` : undefined
      }</p>`

const unknown = html`<abbr title="Redis does not say">?</abbr>`

const streamState = ({ attended, length, read }: StreamGlance): Html => {
  if (!read) return length > 0 ? html`<strong class="bad">no group</strong>` : html`no group yet`
  return attended ? html`read` : html`<strong class="bad">nobody reads</strong>`
}

const streams = (seen: Overview): Html =>
  table(
    {
      id: "streams",
      title: "Streams",
      head: ["Stream", "State", ["Length"], ["Not read yet"], ["In hand"], ["In per second"]]
    },
    seen.streams.map(
      (
        stream
      ) => html`<tr><th scope="row">${stream.label} <small>${stream.stream}</small></th><td>${streamState(stream)}</td><td class="number">${counted(stream.length)}</td>
<td class="number">${stream.lag === undefined ? unknown : counted(stream.lag)}</td><td class="number">${counted(stream.pending)}</td><td class="number">${rate(stream.arriving)}</td></tr>`
    )
  )

const stateOf = ({ circuit, status }: ReplicaFigures): Html => {
  if (circuit === "open") return html`<strong class="bad">circuit open</strong>`
  return status === "ok"
    ? html`<span class="good">ok</span>`
    : html`<strong class="${status === "down" ? "bad" : "attention"}">${status}</strong>`
}

const trouble = ({ circuit, problems, status }: ReplicaFigures): number =>
  (circuit === "open" ? 4 : 0) + (status === "down" ? 3 : status === "degraded" ? 2 : 0) + problems.length

const millis = (ms: number | null): string => (ms === null ? "–" : `${counted(Math.round(ms))} ms`)

const replicas = (seen: Overview): Html => {
  const rows = seen.replicas.toSorted((a, b) => trouble(b) - trouble(a) || (a.consumer < b.consumer ? -1 : 1))
  const more =
    seen.unreadable === 0
      ? undefined
      : html`<p class="hint">${plural(seen.unreadable, "replica")} of another version: what it says of itself is not understood.</p>`
  if (rows.length === 0) return html`<h2 id="replicas">Replicas</h2><p>No replica runs.</p>${more}`
  return html`${table(
    {
      id: "replicas",
      title: "Replicas",
      head: [
        "Replica",
        "State",
        ["Out per second"],
        ["In flight"],
        ["Held"],
        ["API p50"],
        ["API p95"],
        ["CPU"],
        ["Memory"],
        ["Up"],
        ["Config"],
        "Key, version"
      ]
    },
    rows.map(
      (
        replica
      ) => html`<tr><th scope="row">${replica.consumer}${replica.host === null || replica.host === replica.consumer ? undefined : html` <small>${replica.host}</small>`}${replica.problems.map((problem) => html`<br><small class="${replica.status === "down" ? "bad" : "attention"}">${short(problem)}</small>`)}</th>
<td>${stateOf(replica)}</td><td class="number">${rate(replica.rate)}</td><td class="number">${counted(replica.in_flight)}/${counted(replica.permits)}</td><td class="number">${counted(replica.held)}</td>
<td class="number">${millis(replica.api_p50_ms)}</td><td class="number">${millis(replica.api_p95_ms)}</td><td class="number">${replica.cpu === null ? "–" : `${Math.round(replica.cpu * 100)} %`}</td><td class="number">${replica.memory_bytes === null ? "–" : bytes(replica.memory_bytes)}</td>
<td class="number">${shortSpan(seen.at - replica.started_at)}</td><td class="number">${replica.config_version === 0 ? "–" : replica.config_version}</td><td><code>${replica.key_id.slice(0, 8)}</code> <small>${replica.version}</small></td></tr>`
    )
  )}${more}`
}

/** What changes while one looks, alone: the script asks for it again. */
const figures = (seen: Overview): Html => html`${verdict(seen)}${rules(seen)}
<h2 class="hidden">Figures</h2>${tiles(seen)}
<p class="hint">Charts: the last ${shortSpan(chartedMs)}. As of <time datetime="${new Date(seen.at).toISOString()}">${new Date(seen.at).toISOString().slice(11, 19)} UTC</time>.</p>
${replicas(seen)}${streams(seen)}`

const show = Effect.gen(function* () {
  const seen = yield* overviewNow(chartedMs)
  return page(
    { title: "Overview", visitor: yield* CurrentVisitor, current: "/" },
    html`<h1>Overview</h1><div id="live" data-live>${figures(seen)}</div><pre class="command">job-collector top</pre>`
  )
})

export const routes = HttpRouter.add("GET", "/", show)
