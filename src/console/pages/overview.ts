/** Overview: a verdict in words, then the figures it comes from. */
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { type Overview, overview } from "../../programs/operator/overview.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { Served } from "../served.ts"
import { page } from "./layout.ts"
import { bytes, counted, time } from "./shown.ts"

const verdict = ({ verdict: { sentences, state } }: Overview): Html => {
  const [first = "", ...more] = sentences
  const label = { good: "Good", attention: "Needs attention", bad: "Needs you now" }[state]
  return html`<section class="verdict ${state}" aria-label="Verdict"><p class="label">${label}</p><p class="first">${first}</p>
${more.length === 0 ? undefined : html`<ul>${more.map((sentence) => html`<li>${sentence}</li>`)}</ul>`}</section>`
}

const unknown = html`<abbr title="Redis does not say">?</abbr>`

const streamRows = ({ at, streams }: Overview): ReadonlyArray<Html> =>
  streams.map(
    ({
      consumers,
      hasGroup,
      lag,
      length,
      nextDue,
      pending,
      role,
      stream
    }) => html`<tr><th scope="row">${role}<br><small>${stream}</small></th>
<td class="number">${counted(length)}</td><td class="number">${lag === undefined ? unknown : counted(lag)}</td><td class="number">${counted(pending)}</td>
<td>${hasGroup ? counted(consumers.length) : html`<strong class="bad">no group</strong>`}</td><td>${nextDue === undefined ? "–" : time(nextDue, at)}</td></tr>`
  )

const abandonedRows = ({ abandoned, at }: Overview): ReadonlyArray<Html> =>
  abandoned.map(
    ({
      isMore,
      length,
      oldest,
      recent,
      stream
    }) => html`<tr><th scope="row"><a href="/failures?place=abandoned">abandoned</a><br><small>${stream}</small></th>
<td class="number">${counted(length)}</td><td class="number">${counted(recent)}${isMore ? "+" : undefined}</td><td>${oldest === undefined ? "–" : time(oldest, at)}</td></tr>`
  )

interface Replica {
  readonly pending: number
  readonly idleMs: number
}

/** Whoever reads, over all streams. */
const replicasOf = ({ streams }: Overview): ReadonlyMap<string, Replica> => {
  const replicas = new Map<string, Replica>()
  for (const { idleMs, name, pending } of streams.flatMap(({ consumers }) => consumers)) {
    const known = replicas.get(name)
    replicas.set(name, {
      pending: pending + (known?.pending ?? 0),
      idleMs: Math.min(idleMs, known?.idleMs ?? Number.POSITIVE_INFINITY)
    })
  }
  return replicas
}

const replicaRows = (seen: Overview): ReadonlyArray<Html> =>
  [...replicasOf(seen)].map(
    ([name, { idleMs, pending }]) =>
      html`<tr><th scope="row">${name}</th><td class="number">${counted(pending)}</td><td>${time(seen.at - idleMs, seen.at)}</td></tr>`
  )

const memory = ({ memory }: Overview): string => {
  if (memory === undefined) return "not known: the user may not run INFO"
  return memory.limit > 0
    ? `${bytes(memory.used)} of ${bytes(memory.limit)} (${Math.round((100 * memory.used) / memory.limit)} %)`
    : `${bytes(memory.used)}, no limit`
}

/** What changes while one looks, alone: the script asks for it again. */
const figures = (seen: Overview): Html => html`${verdict(seen)}
<h2>Streams</h2><div class="scroll"><table><thead><tr><th scope="col">Stream<th scope="col" class="number">Length<th scope="col" class="number">Not read yet<th scope="col" class="number">In hand<th scope="col">Readers<th scope="col">Next due</tr></thead><tbody>${streamRows(seen)}</tbody></table></div>
<h2>Abandoned</h2><div class="scroll"><table><thead><tr><th scope="col">Stream<th scope="col" class="number">Now<th scope="col" class="number">Last hour<th scope="col">Oldest</tr></thead><tbody>${abandonedRows(seen)}</tbody></table></div>
<h2>Replicas</h2>${replicaRows(seen).length === 0 ? html`<p>No replica reads.</p>` : html`<div class="scroll"><table><thead><tr><th scope="col">Replica<th scope="col" class="number">In hand<th scope="col">Last read</tr></thead><tbody>${replicaRows(seen)}</tbody></table></div>`}
<p>Redis memory: ${memory(seen)}. As of ${time(seen.at, seen.at)}.</p>`

const show = Effect.gen(function* () {
  const { group, sets, streams } = yield* Served
  const seen = yield* overview(streams, group, sets)
  return page(
    { title: "Overview", visitor: yield* CurrentVisitor, current: "/" },
    html`<h1>Overview</h1><div id="live" data-live>${figures(seen)}</div>`
  )
})

export const routes = Layer.mergeAll(HttpRouter.add("GET", "/", show))
