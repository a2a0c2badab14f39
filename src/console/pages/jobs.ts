/** Jobs: what goes on and how far it is; a preview before one begins. */
import { randomUUID } from "node:crypto"
import { Clock, Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { mostWhy } from "../../domain/traffic/rules.ts"
import {
  type ActRequest,
  type FailedAction,
  failedActions,
  placeOfAction,
  type Rehearsal,
  rehearsedMost,
  selectionText,
  usualRate
} from "../../programs/operator/actOnFailed.ts"
import type { Job } from "../../programs/operator/redriveJobs.ts"
import { SelectionError } from "../../programs/operator/selection.ts"
import type { Visitor } from "../access.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { Refused } from "../problems.ts"
import { Served } from "../served.ts"
import { entryTable } from "./entries.ts"
import { antiForgery, page } from "./layout.ts"
import { commandOf, filterPairs, filtersGiven, type Given, givenForm, givenQuery, linkTo } from "./query.ts"
import { counted, plural, short, time } from "./shown.ts"

const leftText = ({
  progress: { alreadyDue, foreignOrigin, gone, settled, unreadable }
}: Pick<Job, "progress">): string =>
  [
    [gone, "already gone"],
    [unreadable, "unreadable"],
    [foreignOrigin, "of a stream that is not read"],
    [alreadyDue, "due already"],
    [settled, "ended already"]
  ]
    .filter(([count]) => Number(count) > 0)
    .map(([count, what]) => `${counted(Number(count))} ${what}`)
    .join(", ")

const cancel = ({ id, state }: Job, visitor: Visitor): Html =>
  visitor.role === "act" && (state === "running" || state === "counting")
    ? html`<form method="post" action="/jobs/cancel">${antiForgery(visitor)}<input type="hidden" name="id" value="${id}"><button>Cancel</button></form>`
    : html``

const row = (job: Job, visitor: Visitor, now: number): Html => {
  const { endedAt, problem, progress, request, startedAt, state, total, unaudited } = job
  return html`<tr><th scope="row">${request.action}<br><small>${short(selectionText(request))}</small></th><td>${state}${problem === undefined ? undefined : html`<br><span class="bad">${short(problem)}</span>`}</td>
<td>${total === undefined ? "–" : html`<progress max="${Math.max(1, total)}" value="${progress.done}" aria-label="Done"></progress><br>${counted(progress.done)} of ${counted(total)}`}<br><small>${leftText(job)}</small></td>
<td>${request.by}${request.why === undefined ? undefined : html`<br><small>${request.why}</small>`}${unaudited === undefined ? undefined : html`<br><span class="bad">not in the audit: ${short(unaudited)}</span>`}</td><td>${time(startedAt, now)}</td><td>${endedAt === undefined ? cancel(job, visitor) : time(endedAt, now)}</td></tr>`
}

const show = Effect.gen(function* () {
  const visitor = yield* CurrentVisitor
  const jobs = yield* (yield* Served).jobs.list
  const now = yield* Clock.currentTimeMillis
  const table = html`<div class="scroll" role="region" aria-label="Jobs" tabindex="0"><table><thead><tr><th scope="col">Job<th scope="col">State<th scope="col">Done<th scope="col">By<th scope="col">Started<th scope="col">Ended</tr></thead><tbody data-rows>${jobs.map((job) => row(job, visitor, now))}</tbody></table></div>`
  return page(
    { title: "Jobs", visitor, current: "/jobs" },
    html`<h1>Jobs</h1><div data-live>${jobs.length === 0 ? html`<p>No job was started since the console began. <a href="/failures">Failures</a> is where they start.</p>` : table}</div>`
  )
})

const wholeIn = (given: Given, name: string): Effect.Effect<number | undefined, SelectionError> => {
  const text = given.get(name) ?? ""
  if (text === "") return Effect.undefined
  return /^\d{1,9}$/.test(text) && Number(text) >= 1
    ? Effect.succeed(Number(text))
    : Effect.fail(new SelectionError({ problem: `${name}: must be a whole number of at least 1` }))
}

const requestOf = Effect.fnUntraced(function* (given: Given): Effect.fn.Return<ActRequest, SelectionError> {
  const action = failedActions.find((name) => name === given.get("action"))
  if (action === undefined)
    return yield* new SelectionError({ problem: `action: must be one of ${failedActions.join(", ")}` })
  const why = given.get("why")?.trim() ?? ""
  if (why.length > mostWhy) return yield* new SelectionError({ problem: `why: must be at most ${mostWhy} characters` })
  return {
    action,
    filters: yield* filtersGiven(given),
    all: false,
    limit: yield* wholeIn(given, "limit"),
    rate: (yield* wholeIn(given, "rate")) ?? usualRate,
    by: (yield* CurrentVisitor).name ?? "",
    why: why === "" ? undefined : why
  }
})

/** What an action does, as its button says it. */
const verbs = {
  "abandoned replay": "Replay",
  "abandoned drop": "Drop",
  "dlq retry": "Retry now",
  "dlq drop": "Drop"
} as const satisfies Record<FailedAction, string>

const places = { abandoned: "abandoned events", dlq: "events that wait for a retry" } as const

const startForm = (
  request: ActRequest,
  { matched, since }: Rehearsal,
  given: Given,
  until: string,
  visitor: Visitor
): Html => {
  const pairs = [
    ...filterPairs(given).filter(
      ([name]) =>
        name !== "until" &&
        name !== "older_than" &&
        (since === undefined || (name !== "since" && name !== "newer_than"))
    ),
    ...(since === undefined ? [] : [["since", new Date(since).toISOString()] as const]),
    ["until", until] as const
  ]
  return html`<form class="stack" method="post" action="/jobs" data-confirm="${verbs[request.action]}, {limit} events at most?">${antiForgery(visitor)}<input type="hidden" name="action" value="${request.action}"><input type="hidden" name="key" value="${randomUUID()}">
${pairs.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<label>How many at most, the oldest first (10 first, to try it) <input name="limit" type="number" min="1" max="${matched}" value="${matched}" required></label>
${request.action === "abandoned replay" ? html`<label>How many a second <input name="rate" type="number" min="1" max="100000" value="${request.rate}"></label>` : undefined}
<label>Why, for the audit <input name="why" maxlength="${mostWhy}" autofocus></label><button class="${request.action.endsWith("drop") ? "danger" : "primary"}">${verbs[request.action]}</button></form>`
}

/** A preview is there at once: so many entries are looked at, and more when asked. */
const usualReach = 20_000

/** What a job would do. What comes after the preview is no part of it. */
const preview = Effect.gen(function* () {
  const visitor = yield* CurrentVisitor
  if (visitor.role !== "act")
    return yield* new Refused({ status: 403, problem: "this token may read, and change nothing" })
  const given = yield* givenQuery
  const asked = yield* requestOf(given)
  const now = yield* Clock.currentTimeMillis
  if (filterPairs(given).length === 0)
    return yield* new SelectionError({
      problem: "give a filter, or mark entries: nothing is done to everything by accident"
    })
  const until = Math.min(now, asked.filters.until ?? now)
  const request = { ...asked, filters: { ...asked.filters, until } }
  const isFar = given.get("look") === "farther"
  const rehearsal = yield* (yield* Served).jobs.rehearse(request, isFar ? rehearsedMost : usualReach)
  const { isWhole, looked, matched, progress, sample, since } = rehearsal
  const farther = linkTo("/jobs/new", filterPairs(given), {
    action: request.action,
    limit: given.get("limit") ?? undefined,
    look: "farther"
  })
  const canStart = matched > 0 && (isWhole || since !== undefined)
  return page(
    { title: "Preview", visitor, current: "/jobs" },
    html`<h1>${verbs[request.action]}: ${places[placeOfAction(request.action)]}</h1><p class="first"><strong>${plural(progress.done, "event")}</strong> of ${plural(matched, "matching entry", "matching entries")}. <span class="hint">${leftText({ progress })}</span></p>
${isWhole ? undefined : html`<p class="problem" id="looked">Only the latest ${counted(looked)} entries were looked at; more may match, and are left alone.${isFar ? undefined : html` <a href="${farther}">Look farther</a>`}</p>`}
<pre class="command">${commandOf(`${request.action}`, request.filters)}</pre>
${!canStart ? html`<p>${matched === 0 ? "There is nothing to do." : "Give a filter by time: of several shards no more than was looked at can be meant."}</p>` : startForm(request, rehearsal, given, new Date(until).toISOString(), visitor)}
<p><a href="${linkTo("/failures", filterPairs(given), { place: placeOfAction(request.action) })}">Back to the failures, changing nothing</a></p><h2 id="entries">The latest of them</h2>${entryTable(sample, now, false)}`
  )
})

const toJobs = HttpServerResponse.redirect("/jobs", { status: 303 })

const start = Effect.gen(function* () {
  const given = yield* givenForm
  const request = yield* requestOf(given)
  const key = given.get("key")
  given.delete("anti_forgery")
  const once = key === null || key === "" ? undefined : { key: `${request.by} ${key}`, asked: given.toString() }
  yield* (yield* Served).jobs.start(request, once)
  return toJobs
})

const cancelOne = Effect.gen(function* () {
  const given = yield* givenForm
  const job = yield* (yield* Served).jobs.cancel(given.get("id") ?? "")
  return job === undefined ? yield* new Refused({ status: 404, problem: "there is no such job" }) : toJobs
})

export const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/jobs", show),
  HttpRouter.add("GET", "/jobs/new", preview),
  HttpRouter.add("POST", "/jobs", start),
  HttpRouter.add("POST", "/jobs/cancel", cancelOne)
)
