/** Audit: who changed what, when and why. */
import { Clock, Effect } from "effect"
import { HttpRouter } from "effect/http"
import { auditRecordOf } from "../../domain/audit/auditRecord.ts"
import type { StreamEntry } from "../../services/EventStreams.ts"
import { auditPage } from "../bounded.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { page } from "./layout.ts"
import { givenQuery, linkTo } from "./query.ts"
import { counted, short, time } from "./shown.ts"

const pageSize = 100

const row = ({ fields, id }: StreamEntry, now: number): Html => {
  const record = auditRecordOf(fields)
  if (record === undefined) return html`<tr><td>${id}</td><td class="bad">it does not decode</td></tr>`
  const { action, at, count, filter, target, who, why } = record
  return html`<tr><td>${time(at, now)}</td><td>${short(who)}</td><td>${short(action)} ${short(target ?? "")}${filter === undefined ? undefined : html`<br><code>${short(filter)}</code>`}</td><td class="number">${count === undefined ? "–" : counted(count)}</td><td>${short(why ?? "–")}</td></tr>`
}

const show = Effect.gen(function* () {
  const given = yield* givenQuery
  const { entries, next } = yield* auditPage(given.get("cursor") ?? undefined, pageSize)
  const now = yield* Clock.currentTimeMillis
  return page(
    { title: "Audit", visitor: yield* CurrentVisitor, current: "/audit" },
    html`<h1>Audit</h1>${
      entries.length === 0
        ? html`<p>No change is noted.</p>`
        : html`<div class="scroll" role="region" aria-label="Changes" tabindex="0"><table><thead><tr><th scope="col">When<th scope="col">Who<th scope="col">What<th scope="col" class="number">How many<th scope="col">Why</tr></thead><tbody data-rows>${entries.map((entry) => row(entry, now))}</tbody></table></div>`
    }${next === undefined ? undefined : html`<p><a href="${linkTo("/audit", [], { cursor: next })}" rel="next">Older changes</a></p>`}<pre class="command">job-collector audit list</pre>`
  )
})

export const routes = HttpRouter.add("GET", "/audit", show)
