/** Failed entries as a table. What an event carries is shown on its own page only. */
import { shownEventId } from "../../domain/events/entry.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import type { FailedEntry } from "../../programs/operator/failedEntry.ts"
import { type Html, html } from "../html.ts"
import { linkTo } from "./query.ts"
import { short, time } from "./shown.ts"

const row = (entry: FailedEntry, now: number, isChosen: boolean): Html => {
  const { eventId, id, said } = entry
  const event = eventId === undefined ? "(unreadable)" : short(shownEventId(eventId))
  const due = said?.notBefore
  return html`<tr>${isChosen ? html`<td><input type="checkbox" name="id" value="${id}" aria-label="Mark ${event}"></td>` : undefined}<td>${time(timeOfId(id), now)}</td>
<td>${eventId === undefined ? event : html`<a href="${linkTo("/event", [], { id: eventId })}">${event}</a>`}<br><small>${id}</small></td>
<td>${said?.reason ?? "–"}${due === undefined ? undefined : html`<br><small>due ${time(due, now)}</small>`}</td><td class="number">${said?.attempts ?? "–"}</td>
<td>${short(entry.value("user_id") ?? "–")}</td><td>${short(entry.value("model") ?? "–")}</td>
<td>${said === undefined ? "it does not decode" : html`<code>${short(said.errorCode)}</code> ${short(said.errorMessage)}`}</td></tr>`
}

/** With boxes to mark them where something can be done. */
export const entryTable = (entries: ReadonlyArray<FailedEntry>, now: number, canMark: boolean): Html =>
  entries.length === 0
    ? html`<p>None.</p>`
    : html`<div class="scroll"><table><thead><tr>${canMark ? html`<th scope="col"><span class="hidden">Marked</span>` : undefined}<th scope="col">Came<th scope="col">Event<th scope="col">Reason<th scope="col" class="number">Tries<th scope="col">User<th scope="col">Model<th scope="col">Error</tr></thead>
<tbody data-rows>${entries.map((entry) => row(entry, now, canMark))}</tbody></table></div>`
