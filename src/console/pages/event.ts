/** Event: what Redis knows of one, as a timeline; what it carries is shown when it is asked for. */
import { Clock, Duration, Effect, Result } from "effect"
import { HttpRouter } from "effect/http"
import { decodeAbandonedEntry, decodeDlqEntry } from "../../domain/delivery/dlq.ts"
import type { History } from "../../domain/delivery/history.ts"
import { type FlatFields, fieldsToObject } from "../../domain/events/entry.ts"
import { instant } from "../../domain/events/instant.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import { printableJson } from "../../domain/text/printable.ts"
import type { Chapter } from "../../programs/operator/eventChapters.ts"
import { patience, type Searched, searchedText } from "../../programs/operator/eventSearch.ts"
import { shellWord } from "../../programs/operator/selection.ts"
import { placeIn, storyOf } from "../bounded.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html, linesOf } from "../html.ts"
import { Served } from "../served.ts"
import { actsOn } from "./eventActs.ts"
import { page } from "./layout.ts"
import { givenQuery, linkTo } from "./query.ts"
import { counted, plural, short, time } from "./shown.ts"
import { signature } from "./signatureExplained.ts"

interface Moment {
  readonly at: number
  readonly tone: "" | "good" | "bad" | "now"
  readonly what: Html
}

const attempts = (history: History | undefined, where = ""): ReadonlyArray<Moment> =>
  (history ?? []).map(({ at, consumer, duration_ms, error_code, error_message, status }, number) => ({
    at,
    tone: "",
    what: html`Attempt ${number + 1}${where} failed: <code>${short(error_code)}</code> ${short(error_message)}<br><small>status ${status ?? "none"}, ${duration_ms === null ? "unknown time" : `${counted(duration_ms)} ms`}, by ${consumer}</small>`
  }))

const momentsOf = (chapter: Chapter): ReadonlyArray<Moment> => {
  if (chapter.place === "outcome") {
    const { at, attempts, credits, job_id } = chapter.outcome
    return [
      {
        at,
        tone: "good",
        what: html`<strong class="good">Delivered</strong> at attempt ${attempts} as job <code>${short(String(job_id))}</code>, ${credits === null ? "credits unknown" : `${credits} credits`}`
      }
    ]
  }
  const where = html`<br><small>${chapter.stream} ${chapter.id}</small>`
  switch (chapter.place) {
    case "source":
      return [
        ...attempts(chapter.earlier, " before the replay"),
        {
          at: timeOfId(chapter.id),
          tone: "",
          what: html`${chapter.replayed ? "Put back by a replay" : "Arrived"}, ${chapter.state}${where}`
        }
      ]
    case "dlq":
      return [
        ...attempts(chapter.retry.replayed, " before the replay"),
        ...attempts(chapter.retry.history),
        {
          at: chapter.retry.not_before,
          tone: "now",
          what: html`Due for the next attempt, after ${plural(chapter.retry.attempt, "attempt")}${chapter.retry.set_aside === undefined ? undefined : html`; set aside: ${chapter.retry.set_aside}`}${where}`
        }
      ]
    case "abandoned": {
      const { abandoned_at, attempts: made, error_code, error_message, reason } = chapter.abandoned
      return [
        ...attempts(chapter.replayed, " before the replay"),
        ...attempts(chapter.history),
        {
          at: abandoned_at,
          tone: "bad",
          what: html`<strong class="bad">Abandoned</strong> as ${reason} after ${plural(made, "attempt")}: <code>${error_code}</code> ${short(error_message)}${where}`
        }
      ]
    }
  }
}

/** One moment is told once, though two entries of an event may both have it. */
const timelineOf = (chapters: ReadonlyArray<Chapter>): ReadonlyArray<Moment> => {
  const moments = chapters.flatMap(momentsOf).toSorted((a, b) => a.at - b.at)
  return [...new Map(moments.map((moment) => [`${moment.at} ${moment.what.text}`, moment])).values()]
}

/** The event within an entry of the DLQ or of what was given up. */
const eventIn = (place: Chapter["place"], fields: FlatFields): FlatFields | undefined => {
  if (place === "dlq") return Result.getOrUndefined(decodeDlqEntry(fields))?.event
  return place === "abandoned" ? Result.getOrUndefined(decodeAbandonedEntry(fields))?.event : undefined
}

/** What an event carries, at one of the places where it stands: of an entry that does not decode, all that it holds. */
const payloadOf = Effect.fnUntraced(function* (chapters: ReadonlyArray<Chapter>) {
  const { streams } = yield* Served
  const chapter = chapters.findLast((it) => it.place !== "outcome")
  if (chapter === undefined) return undefined
  const [entry] = yield* streams.range(chapter.stream, chapter.id, chapter.id, 1)
  if (entry === undefined) return undefined
  return printableJson(fieldsToObject(eventIn(chapter.place, entry.fields) ?? entry.fields), 2)
})

/** A verdict names commands in backticks. */
const sentence = (text: string): Html =>
  html`${text.split("`").map((part, at) => (at % 2 === 0 ? part : html`<code>${part}</code>`))}`

/** The longest text of an entry that a page shows. */
const mostShown = 20_000

const payload = (text: string): Html =>
  html`<pre tabindex="0" aria-label="What it carries" id="payload-text">${linesOf(text.slice(0, mostShown))}</pre><p class="row"><button type="button" hidden data-copy="payload-text">Copy</button>${
    text.length > mostShown
      ? html`<span class="hint">The first ${counted(mostShown)} of ${counted(text.length)} characters.</span>`
      : undefined
  }</p>`

const form = (id: string): Html => html`<form class="filters" method="get" action="/event" role="search">
<label>Event id <input name="id" value="${id}" required size="44" data-search></label><button class="primary">Find</button></form>`

/** How far was looked, where that was not all, and how to look farther. */
const reach = (searched: Searched, found: number, farther: string | undefined): Html | undefined => {
  const text = searchedText(searched, found)
  if (text === undefined) return undefined
  return html`<p class="hint" id="reach">${text}${farther === undefined ? undefined : html` <a href="${farther}">Look farther</a>`}</p>`
}

const show = Effect.gen(function* () {
  const given = yield* givenQuery
  const id = given.get("id") ?? ""
  const visitor = yield* CurrentVisitor
  const about = { title: "Event", visitor, current: "/event" } as const
  if (id === "")
    return page(
      about,
      html`<h1>Event</h1>${form(id)}<p class="hint">An event that you open from <a href="/failures">Failures</a> is there at once; one that is looked for by its id may take a second or more.</p>`
    )
  const now = yield* Clock.currentTimeMillis
  const entry = { stream: given.get("stream") ?? undefined, entry: given.get("entry") ?? undefined }
  const isFar = given.get("look") === "farther"
  const { chapters, searched, verdict } = yield* storyOf(id, {
    within: Duration.days(7),
    place: isFar ? undefined : placeIn(entry.stream, entry.entry),
    wait: isFar ? patience.farther : patience.usual
  })
  const asked = given.get("payload") === "shown"
  const text = asked ? yield* payloadOf(chapters) : undefined
  const link = (more: Readonly<Record<string, string>>) => linkTo("/event", [["id", id]], { ...entry, ...more })
  const farther = isFar ? undefined : linkTo("/event", [["id", id]], { look: "farther" })
  const empty = chapters.length === 0
  return page(
    about,
    html`<h1>Event <code>${short(id)}</code></h1><p class="first" id="verdict"><strong>${sentence(verdict)}</strong></p>${visitor.role === "act" ? actsOn(chapters) : undefined}
${
  empty
    ? undefined
    : html`<h2 id="timeline">Timeline</h2><ol class="timeline" aria-labelledby="timeline">${timelineOf(chapters).map(({ at, tone, what }) => html`<li class="${tone}"><span class="when">${instant(at)} · ${time(at, now)}</span>${what}</li>`)}</ol>`
}${reach(searched, chapters.length, farther)}
${empty ? undefined : html`<h2 id="payload">What it carries</h2>${text === undefined ? html`<p><a class="button" href="${link({ payload: "shown" })}">Show what it carries</a> <span class="hint">It may hold what the user said.</span></p>` : payload(text)}${signature(chapters, id)}`}
<h2>Another event</h2>${form("")}<pre class="command">job-collector why ${shellWord(id)}</pre>`,
    empty ? 404 : 200
  )
})

export const routes = HttpRouter.add("GET", "/event", show)
