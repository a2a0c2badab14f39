/** What is taken away from the failures page: an incident's report, and the entries as lines of an export. */
import { Clock, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { patience } from "../../programs/operator/eventSearch.ts"
import { makeReport } from "../../programs/operator/report.ts"
import { markdown } from "../../programs/operator/reportText.ts"
import { filtersText, isFiltered, selectBoth } from "../../programs/operator/selection.ts"
import { CurrentVisitor } from "../guard.ts"
import { html, linesOf } from "../html.ts"
import { Served } from "../served.ts"
import { page } from "./layout.ts"
import { commandOf, filterPairs, filtersGiven, givenForm, givenQuery, linkTo, placeGiven } from "./query.ts"
import { counted } from "./shown.ts"

const report = Effect.gen(function* () {
  const given = yield* givenQuery
  const { sets, streams } = yield* Served
  const filters = yield* filtersGiven(given)
  const selected = yield* selectBoth(streams, sets, filters)
  const isFar = given.get("look") === "farther"
  const made = yield* makeReport(selected, () => Effect.void, isFar ? patience.farther : patience.usual)
  const farther = linkTo("/failures/report", filterPairs(given), { look: "farther" })
  const filter = isFiltered(filters) ? filtersText(filters) : ""
  const text = markdown(made, filter, yield* Clock.currentTimeMillis).join("\n")
  return page(
    { title: "Incident report", visitor: yield* CurrentVisitor, current: "/failures" },
    html`<h1>Incident report</h1><p class="hint">As Markdown, to be sent or kept.</p>${made.isWhole ? undefined : html`<p class="problem" id="looked">Only the latest ${counted(made.looked)} entries were looked at.${isFar ? html` <code>job-collector report</code> looks at all.` : html` <a href="${farther}">Look farther</a>`}</p>`}<pre tabindex="0" aria-label="The report" id="report-text">${linesOf(text)}</pre>
<p class="row"><button type="button" hidden data-copy="report-text">Copy</button><a class="button" href="${linkTo("/failures", filterPairs(given))}">Back to the failures</a></p><pre class="command">${commandOf("report", filters)}</pre>`
  )
})

/**
 * What matches by now, line by line as it is read: what comes later is no part of it. It takes out what events carry, so it wants a
 * token that may act, and the audit has it.
 */
const exported = Effect.gen(function* () {
  const given = yield* givenForm
  const place = placeGiven(given)
  const now = yield* Clock.currentTimeMillis
  const filters = yield* filtersGiven(given)
  const lines = yield* (yield* Served).jobs.exportLines({
    place,
    filters: { ...filters, until: Math.min(now, filters.until ?? now) },
    by: (yield* CurrentVisitor).name ?? "",
    why: undefined
  })
  return HttpServerResponse.stream(Stream.encodeText(lines), {
    contentType: "application/x-ndjson",
    headers: { "content-disposition": `attachment; filename="${place}.ndjson"` }
  })
})

export const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/failures/report", report),
  HttpRouter.add("POST", "/failures/export", exported)
)
