/** Failures: groups of what waits for a retry or was given up, the entries of a group, and what can be done with them. */
import { Clock, Effect } from "effect"
import { HttpRouter } from "effect/http"
import type { Place } from "../../programs/operator/failedEntry.ts"
import { type Group, type Grouping, groupings } from "../../programs/operator/groups.ts"
import { groupsWithin, pageOf } from "../../programs/operator/look.ts"
import { lengthOf, select } from "../../programs/operator/selection.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { Served } from "../served.ts"
import { entryTable } from "./entries.ts"
import { page } from "./layout.ts"
import { commandOf, filterPairs, filtersGiven, type Given, givenQuery, linkTo, placeGiven } from "./query.ts"
import { counted, plural, short, time } from "./shown.ts"

/** How far a page looks at first, and when it is asked to look farther: in entries. */
const looks = [500, 5_000, 50_000, 200_000]
const pageSize = 50
const mostGroups = 30

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

const groupTable = (given: Given, by: Grouping, groups: ReadonlyArray<Group>, matched: number, now: number): Html => {
  const rows = groups.slice(0, mostGroups).map(({ count, first, key, last }) => {
    const filter = filterOf(by, key)
    const name = html`<code>${short(key)}</code>`
    const link = linkTo("/failures", filterPairs(given), { place: placeGiven(given), by, ...filter })
    return html`<tr><td class="number">${counted(count)}</td><td class="number">${((100 * count) / matched).toFixed(1)} %</td><td>${time(first, now)}</td><td>${time(last, now)}</td>
<td>${filter === undefined ? name : html`<a href="${link}">${name}</a>`}</td></tr>`
  })
  return groups.length === 0
    ? html`<p>None.</p>`
    : html`<div class="scroll"><table><thead><tr><th scope="col" class="number">Count<th scope="col" class="number">Share<th scope="col">First<th scope="col">Last<th scope="col">${by}</tr></thead><tbody data-rows>${rows}</tbody></table></div>
${groups.length > mostGroups ? html`<p class="hint">${counted(mostGroups)} of ${plural(groups.length, "group")}</p>` : undefined}`
}

const options = (names: ReadonlyArray<string>, chosen: string): ReadonlyArray<Html> =>
  names.map((name) => html`<option${name === chosen ? html` selected` : undefined}>${name}</option>`)

const fields = [
  ["error_code", "Error code"],
  ["message", "Message contains"],
  ["reason", "Reason"],
  ["user", "User"],
  ["model", "Model"],
  ["stream", "Stream"],
  ["event_id", "Event id"],
  ["where", "Field=value"],
  ["since", "Since"],
  ["until", "Until"]
] as const

const form = (given: Given, place: Place, by: Grouping): Html => {
  // A filter with several values, or without a field of its own, is kept as it is.
  const kept = filterPairs(given).filter(
    ([name, value]) => !fields.some(([field]) => field === name) || value !== given.get(name)
  )
  return html`<form class="filters" method="get" action="/failures" role="search">
<label>Where <select name="place">${options(["abandoned", "dlq"], place)}</select></label><label>Grouped by <select name="by">${options(groupings, by)}</select></label>
${fields.map(([name, label], at) => html`<label>${label} <input name="${name}" value="${given.get(name) ?? ""}"${at === 0 ? html` data-search` : undefined}></label>`)}
${kept.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}<button class="primary">Show</button></form>`
}

const chips = (given: Given, place: Place, by: Grouping): Html => {
  const pairs = filterPairs(given)
  if (pairs.length === 0) return html``
  const without = (at: number) =>
    linkTo(
      "/failures",
      pairs.filter((_, other) => other !== at),
      { place, by }
    )
  return html`<p class="row">${pairs.map(([name, value], at) => html`<a class="button" href="${without(at)}" title="Take this filter away">${name}: ${short(value)} ×</a>`)}</p>`
}

const actions = (given: Given, place: Place): Html => {
  const pairs = filterPairs(given)
  const link = (action: string) => linkTo("/jobs/new", pairs, { action })
  const [first, second] =
    place === "dlq" ? (["dlq retry", "dlq drop"] as const) : (["abandoned replay", "abandoned drop"] as const)
  const [firstVerb, dropVerb] = place === "dlq" ? ["Retry now…", "Drop…"] : ["Replay…", "Drop…"]
  return html`${
    pairs.length === 0
      ? html`<p class="hint">Give a filter, open a group, or mark entries to act on them.</p>`
      : html`<p class="row">All that match: <a class="button primary" data-key="r" href="${link(first)}">${firstVerb}</a><a class="button danger" href="${link(second)}">${dropVerb}</a></p>`
  }
<p class="row">Those marked: <button name="action" value="${first}">${firstVerb}</button><button name="action" value="${second}" class="danger">${dropVerb}</button></p>`
}

const show = Effect.gen(function* () {
  const given = yield* givenQuery
  const { sets, streams } = yield* Served
  const visitor = yield* CurrentVisitor
  const place = placeGiven(given)
  const by = groupings.find((name) => name === given.get("by")) ?? "error"
  const most = looks.find((look) => String(look) === given.get("look")) ?? looks[0] ?? 0
  const source = { streams, sets, place }
  const filters = yield* filtersGiven(given)
  const selection = yield* select(source, filters)
  const now = yield* Clock.currentTimeMillis
  const total = yield* lengthOf(source, selection)
  const { groups, looked, matched, next } = yield* groupsWithin(source, selection, by, { most })
  const entries = yield* pageOf(source, selection, { cursor: given.get("cursor") ?? undefined, most }, pageSize)
  const farther = next === undefined ? undefined : looks.find((look) => look > most)
  const pairs = filterPairs(given)
  const canAct = visitor.role === "act"
  const body = html`<h1>Failures</h1>${form(given, place, by)}${chips(given, place, by)}
<p>${plural(matched, "entry", "entries")} of the latest ${counted(looked)} looked at; ${counted(total)} in all.
${farther === undefined ? undefined : html`<a href="${linkTo("/failures", pairs, { place, by, look: String(farther) })}">Look at ${counted(farther)}</a>`}</p>
<pre class="command">${commandOf(`${place} groups --by ${by}`, filters)}</pre>
<h2>Groups</h2>${groupTable(given, by, groups, matched, now)}
<h2>Entries</h2><form method="get" action="/jobs/new">${canAct ? actions(given, place) : undefined}${entryTable(entries.entries, now, canAct)}</form>
${entries.next === undefined ? undefined : html`<p><a href="${linkTo("/failures", pairs, { place, by, look: String(most), cursor: entries.next })}" rel="next">Older entries</a></p>`}`
  return page({ title: "Failures", visitor, current: "/failures" }, body)
})

export const routes = HttpRouter.add("GET", "/failures", show)
