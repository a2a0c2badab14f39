/** Failures: groups of what waits for a retry or was given up, the entries of a group, and what can be done with them. */
import { Clock, Effect } from "effect"
import { HttpRouter } from "effect/http"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import type { Place } from "../../programs/operator/failedEntry.ts"
import { type Group, type Grouping, groupings } from "../../programs/operator/groups.ts"
import { groupsAndPage, pageOf } from "../../programs/operator/look.ts"
import { lengthOf, select } from "../../programs/operator/selection.ts"
import type { Visitor } from "../access.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { Served } from "../served.ts"
import { entryTable } from "./entries.ts"
import { antiForgery, page } from "./layout.ts"
import { commandOf, filterPairs, filtersGiven, type Given, givenQuery, linkTo, placeGiven } from "./query.ts"
import { counted, plural, short, time } from "./shown.ts"
import { table } from "./table.ts"

/** How far a page looks at first, and when it is asked to look farther: in entries. */
const looks = [500, 5_000, 50_000, 200_000]
const pageSize = 50
const mostGroups = 100
const mostInFacet = 6

/** How far the page was asked to look, as its links keep it. */
const lookGiven = (given: Given): string | undefined => given.get("look") ?? undefined

/** A filter that means a group, as near as filters come; undefined where none does. */
const filterOf = (by: Grouping, key: string): Readonly<Record<string, string>> | undefined => {
  if (key.startsWith("(")) return undefined
  if (by === "hour") return { since: key, until: key.replace(":00Z", ":59:59.999Z") }
  if (by !== "error") return { [by]: key }
  const [code = "", ...rest] = key.split(" ")
  const [part] = rest
    .join(" ")
    .split(/[#…]/)
    .map((text) => text.trim())
    .toSorted((a, b) => b.length - a.length)
  return part === undefined || part === "" ? { error_code: code } : { error_code: code, message: part }
}

const bar = (share: number): Html =>
  html`<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="4"/><rect width="${Math.max(0.5, 100 * share).toFixed(1)}" height="4"/></svg>`

const titles = { error: "Errors", stream: "Streams", model: "Models", user: "Users", hour: "Hours" } as const

/** A stream by its kind's name, where that says which it is. */
const shownKey = ({ by, sets }: Counted, key: string): string => {
  if (by === "hour") return key.slice(5).replace("T", " ").replace("Z", " UTC")
  const [only, ...others] = by === "stream" ? sets : []
  if (only === undefined || others.length > 0) return key
  return sourcesOf(only).find(([, stream]) => stream === key)?.[0] ?? key
}

interface Counted {
  readonly given: Given
  readonly sets: ReadonlyArray<KnownStreams>
  readonly by: Grouping
  readonly groups: ReadonlyArray<Group>
  readonly matched: number
}

const linkOf = ({ by, given }: Counted, key: string): string | undefined => {
  const filter = filterOf(by, key)
  return (
    filter && linkTo("/failures", filterPairs(given), { place: placeGiven(given), look: lookGiven(given), ...filter })
  )
}

/** The largest groups of one kind: each adds a filter. */
const facet = (sorted: Counted): Html => {
  const { by, given, groups, matched } = sorted
  const items = groups.slice(0, mostInFacet).map(({ count, key }) => {
    const link = linkOf(sorted, key)
    const inside = html`<span class="key" title="${short(key)}">${short(shownKey(sorted, key))}</span><span class="count">${counted(count)}</span>`
    return html`<li>${link === undefined ? html`<span class="key">${inside}</span>` : html`<a href="${link}">${inside}</a>`}${bar(count / matched)}</li>`
  })
  const all = linkTo("/failures", filterPairs(given), { place: placeGiven(given), look: lookGiven(given), by })
  return html`<section class="facet ${by === "error" ? "facet-wide" : undefined}" aria-labelledby="facet-${by}"><h3 id="facet-${by}">${titles[by]}${groups.length > mostInFacet ? html`<a href="${all}#groups">all ${counted(groups.length)}<span class="hidden"> ${titles[by].toLowerCase()}</span></a>` : undefined}</h3><ol${by === "error" ? html` data-rows` : undefined}>${items}</ol></section>`
}

const groupTable = (sorted: Counted, now: number): Html => {
  const { by, groups, matched } = sorted
  const rows = groups.slice(0, mostGroups).map(({ count, first, key, last }) => {
    const link = linkOf(sorted, key)
    const name = html`<code>${short(shownKey(sorted, key))}</code>`
    return html`<tr><td class="number">${counted(count)}</td><td class="number">${((100 * count) / matched).toFixed(1)} %</td><td>${time(first, now)}</td><td>${time(last, now)}</td>
<td class="wide">${link === undefined ? name : html`<a href="${link}">${name}</a>`}</td></tr>`
  })
  return html`${table({ id: "groups", title: `By ${by}`, head: [["Count"], ["Share"], "First", "Last", titles[by]], hasKeys: true }, rows)}
${groups.length > mostGroups ? html`<p class="hint">${counted(mostGroups)} of ${plural(groups.length, "group")}</p>` : undefined}`
}

const fields = [
  ["message", "Message contains"],
  ["error_code", "Error code"],
  ["user", "User"],
  ["model", "Model"],
  ["reason", "Reason"],
  ["stream", "Stream"],
  ["event_id", "Event id"],
  ["where", "Field=value"],
  ["since", "Since"],
  ["until", "Until"]
] as const
/** So many fields are always in sight. */
const inSight = 4

const form = (given: Given, place: Place): Html => {
  // A filter with several values, or without a field of its own, is kept as it is.
  const kept = filterPairs(given).filter(
    ([name, value]) => !fields.some(([field]) => field === name) || value !== given.get(name)
  )
  const inputs = fields.map(
    ([name, label], at) =>
      html`<label>${label} <input name="${name}" value="${given.get(name) ?? ""}"${at === 0 ? html` data-search` : undefined}></label>`
  )
  return html`<form method="get" action="/failures" role="search" aria-label="Filters"><input type="hidden" name="place" value="${place}">
<div class="filters row">${inputs.slice(0, inSight)}<button class="primary">Show</button></div><details><summary>More filters</summary><div class="filters row">${inputs.slice(inSight)}</div></details>
${kept.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}</form>`
}

const chips = (given: Given, place: Place): Html | undefined => {
  const pairs = filterPairs(given)
  if (pairs.length === 0) return undefined
  const without = (at: number) =>
    linkTo(
      "/failures",
      pairs.filter((_, other) => other !== at),
      { place, look: lookGiven(given) }
    )
  return html`<p class="row" id="chips">${pairs.map(([name, value], at) => html`<a class="chip" href="${without(at)}" aria-label="Take away the filter ${name}: ${short(value)}">${name}: ${short(value)} <span aria-hidden="true">×</span></a>`)}<a href="${linkTo("/failures", [], { place })}">Clear filters</a></p>`
}

const acts = {
  dlq: { first: "dlq retry", drop: "dlq drop", verb: "Retry now…" },
  abandoned: { first: "abandoned replay", drop: "abandoned drop", verb: "Replay…" }
} as const

const actions = (given: Given, place: Place): Html => {
  const pairs = filterPairs(given)
  const { drop, first, verb } = acts[place]
  const link = (action: string, more: Readonly<Record<string, string>> = {}) =>
    linkTo("/jobs/new", pairs, { action, ...more })
  return pairs.length === 0
    ? html`<p class="hint" id="actions">Give a filter, open a group, or mark entries to act on them.</p>`
    : html`<p class="row" id="actions">All that match: <a class="button primary" data-key="r" href="${link(first)}">${verb}</a><a class="button" href="${link(first, { limit: "10" })}">Try 10 first…</a><a class="button danger" href="${link(drop)}">Drop…</a></p>`
}

const markedActions = (place: Place): Html => {
  const { drop, first, verb } = acts[place]
  return html`<p class="row">Those marked: <button name="action" value="${first}">${verb}</button><button name="action" value="${drop}" class="danger">Drop…</button></p>`
}

/** It takes out what events carry: who may act may, and the audit has it. */
const exporting = (visitor: Visitor, pairs: ReadonlyArray<readonly [string, string]>, place: Place): Html =>
  html`<form class="row" method="post" action="/failures/export">${antiForgery(visitor)}<input type="hidden" name="place" value="${place}">${pairs.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}<button>Export</button><span class="hint">With what the events carry; the audit has it.</span></form>`

const tabs = (given: Given, place: Place, lengths: Readonly<Record<Place, number>>): Html => {
  const tab = (to: Place, title: string) =>
    html`<a href="${linkTo("/failures", filterPairs(given), { place: to })}"${to === place ? html` aria-current="true"` : undefined}>${title} ${counted(lengths[to])}</a>`
  return html`<nav class="tabs" aria-label="Where">${tab("abandoned", "Abandoned")}${tab("dlq", "To retry")}</nav>`
}

/** Among how many they were counted. */
const matchedOf = (filters: number, looked: number, total: number): string => {
  if (looked < total) return `among the latest ${counted(looked)}; there are ${counted(total)}`
  return filters === 0 ? "in all" : `of ${counted(total)}`
}

const show = Effect.gen(function* () {
  const given = yield* givenQuery
  const { sets, streams } = yield* Served
  const visitor = yield* CurrentVisitor
  const place = placeGiven(given)
  const by = groupings.find((name) => name === given.get("by"))
  const most = looks.find((look) => String(look) === given.get("look")) ?? looks[0] ?? 0
  const source = { streams, sets, place }
  const other = place === "dlq" ? "abandoned" : "dlq"
  const filters = yield* filtersGiven(given)
  const selection = yield* select(source, filters)
  const now = yield* Clock.currentTimeMillis
  const total = yield* lengthOf(source, selection)
  const lengths = {
    [place]: total,
    [other]: yield* lengthOf(source, { keys: sets.map((set) => set[other]) })
  }
  const cursor = given.get("cursor") ?? undefined
  const found = yield* groupsAndPage(source, selection, groupings, { most }, pageSize)
  const { entries, older } =
    cursor === undefined
      ? found
      : yield* Effect.map(pageOf(source, selection, { cursor, most }, pageSize), (page) => ({
          entries: page.entries,
          older: page.next
        }))
  const { grouped, looked, matched, next } = found
  const countedBy = (grouping: Grouping): Counted => ({
    given,
    sets,
    by: grouping,
    groups: grouped.of(grouping),
    matched
  })
  const farther = next === undefined ? undefined : looks.find((look) => look > most)
  const pairs = filterPairs(given)
  const canAct = visitor.role === "act"
  const body = html`<h1>Failures</h1>${tabs(given, place, { abandoned: lengths.abandoned ?? 0, dlq: lengths.dlq ?? 0 })}${form(given, place)}${chips(given, place)}
<p id="matched"><strong>${plural(matched, "entry", "entries")}</strong> ${matchedOf(pairs.length, looked, total)}.
${farther === undefined ? undefined : html`<a href="${linkTo("/failures", pairs, { place, by, look: String(farther) })}">Look at ${counted(farther)}</a>`}</p>
${canAct ? actions(given, place) : html`<p class="hint" id="actions">Acting on them needs a token that may act.</p>`}<p class="row"><a class="button" href="${linkTo("/failures/report", pairs)}">Incident report</a></p>${canAct ? exporting(visitor, pairs, place) : undefined}
<h2 class="hidden" id="facets">Groups</h2>${matched === 0 ? undefined : html`<div class="facets">${groupings.map((grouping) => facet(countedBy(grouping)))}</div>`}${by === undefined || matched === 0 ? undefined : groupTable(countedBy(by), now)}
<pre class="command">${commandOf(`${place} groups --by ${by ?? "error"}`, filters)}</pre>
<h2 id="entries">Entries</h2><form method="get" action="/jobs/new">${entryTable(entries, now, canAct)}${canAct && entries.length > 0 ? markedActions(place) : undefined}</form>
${older === undefined ? undefined : html`<p><a href="${linkTo("/failures", pairs, { place, by, look: String(most), cursor: older })}" rel="next">Older entries</a></p>`}`
  return page({ title: "Failures", visitor, current: "/failures" }, body)
})

export const routes = HttpRouter.add("GET", "/failures", show)
