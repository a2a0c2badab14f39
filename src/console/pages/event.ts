/** Event: what Redis knows of one, as a timeline; what it carries is shown when it is asked for. */
import { Clock, Duration, Effect } from "effect"
import { HttpRouter } from "effect/http"
import type { History } from "../../domain/delivery/history.ts"
import { fieldsToObject } from "../../domain/events/entry.ts"
import { instant } from "../../domain/events/instant.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import { printableJson } from "../../domain/text/printable.ts"
import type { Chapter } from "../../programs/operator/eventHistory.ts"
import { shellWord } from "../../programs/operator/selection.ts"
import { storyOf } from "../bounded.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { Served } from "../served.ts"
import { page } from "./layout.ts"
import { givenQuery } from "./query.ts"
import { counted, plural, short, time } from "./shown.ts"

interface Moment {
  readonly at: number
  readonly what: Html
}

const attempts = (history: History | undefined): ReadonlyArray<Moment> =>
  (history ?? []).map(({ at, consumer, duration_ms, error_code, error_message, status }) => ({
    at,
    what: html`attempt failed: <code>${short(error_code)}</code> ${short(error_message)}<br><small>status ${status ?? "none"}, ${duration_ms === null ? "unknown time" : `${counted(duration_ms)} ms`}, ${consumer}</small>`
  }))

const momentsOf = (chapter: Chapter): ReadonlyArray<Moment> => {
  if (chapter.place === "outcome") {
    const { at, attempts, credits, job_id } = chapter.outcome
    return [
      {
        at,
        what: html`<strong class="good">delivered</strong> at attempt ${attempts} as job <code>${String(job_id)}</code>, ${credits === null ? "credits unknown" : `${credits} credits`}`
      }
    ]
  }
  const where = html`<br><small>${chapter.stream} ${chapter.id}</small>`
  switch (chapter.place) {
    case "source":
      return [
        ...attempts(chapter.earlier),
        {
          at: timeOfId(chapter.id),
          what: html`${chapter.replayed ? "put back by a replay" : "arrived"}, ${chapter.state}${where}`
        }
      ]
    case "dlq":
      return [
        ...attempts(chapter.retry.replayed),
        ...attempts(chapter.retry.history),
        {
          at: chapter.retry.not_before,
          what: html`due for the next attempt after ${plural(chapter.retry.attempt, "attempt")}${where}`
        }
      ]
    case "abandoned": {
      const { abandoned_at, attempts: made, error_code, error_message, reason } = chapter.abandoned
      return [
        ...attempts(chapter.replayed),
        ...attempts(chapter.history),
        {
          at: abandoned_at,
          what: html`<strong class="bad">abandoned</strong> as ${reason} after ${plural(made, "attempt")}: <code>${error_code}</code> ${short(error_message)}${where}`
        }
      ]
    }
  }
}

/** What an event's entry holds, at one of the places where it stands. */
const payloadOf = Effect.fnUntraced(function* (chapters: ReadonlyArray<Chapter>) {
  const { streams } = yield* Served
  const chapter = chapters.findLast((it) => it.place !== "outcome")
  if (chapter === undefined) return undefined
  const [entry] = yield* streams.range(chapter.stream, chapter.id, chapter.id, 1)
  return entry === undefined ? undefined : printableJson(fieldsToObject(entry.fields), 2)
})

/** The longest text of an entry that a page shows. */
const mostShown = 20_000

const payload = (text: string): Html =>
  html`<pre tabindex="0">${text.slice(0, mostShown)}</pre>${
    text.length > mostShown
      ? html`<p class="hint">The first ${counted(mostShown)} of ${counted(text.length)} characters.</p>`
      : undefined
  }`

const form = (id: string): Html => html`<form class="filters" method="get" action="/event" role="search">
<label>Event id <input name="id" value="${id}" required data-search></label><button class="primary">Find</button></form>`

const show = Effect.gen(function* () {
  const given = yield* givenQuery
  const id = given.get("id") ?? ""
  const about = { title: "Event", visitor: yield* CurrentVisitor, current: "/event" } as const
  if (id === "") return page(about, html`<h1>Event</h1>${form(id)}`)
  const now = yield* Clock.currentTimeMillis
  const { chapters, verdict } = yield* storyOf(id, Duration.days(7))
  const moments = chapters.flatMap(momentsOf).toSorted((a, b) => a.at - b.at)
  const asked = given.get("payload") === "shown"
  const text = asked ? yield* payloadOf(chapters) : undefined
  const shown = new URLSearchParams({ id, payload: "shown" })
  return page(
    about,
    html`<h1>Event</h1>${form(id)}<p class="first"><strong>${verdict}</strong></p>
<ol class="timeline">${moments.map(({ at, what }) => html`<li>${instant(at)} (${time(at, now)}): ${what}</li>`)}</ol>
${chapters.length === 0 ? undefined : text === undefined ? html`<p><a class="button" href="/event?${shown.toString()}">Show what it carries</a></p>` : payload(text)}
<pre class="command">job-collector why ${shellWord(id)}</pre>`,
    chapters.length === 0 ? 404 : 200
  )
})

export const routes = HttpRouter.add("GET", "/event", show)
