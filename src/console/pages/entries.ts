/** Failed entries as a table. What an event carries is shown on its own page only. */
import { shownEventId } from "../../domain/events/entry.ts"
import { timeOfId } from "../../domain/events/streamId.ts"
import type { FailedEntry } from "../../programs/operator/failedEntry.ts"
import { type Html, html } from "../html.ts"
import { linkTo } from "./query.ts"
import { short, time } from "./shown.ts"
import { bareTable } from "./table.ts"

const row = (entry: FailedEntry, now: number, isChosen: boolean): Html => {
  const { eventId, id, said } = entry
  const event = eventId === undefined ? "(unreadable)" : short(shownEventId(eventId))
  const due = said?.notBefore
  return html`<tr>${isChosen ? html`<td><input type="checkbox" name="id" value="${id}" aria-label="Mark ${event}"></td>` : undefined}<td>${time(timeOfId(id), now)}</td>
<td>${eventId === undefined ? event : html`<a href="${linkTo("/event", [], { id: eventId, stream: entry.stream, entry: id })}">${event}</a>`}<br><small>${id}</small></td>
<td>${said?.reason ?? "–"}${due === undefined ? undefined : html`<br><small>due ${time(due, now)}</small>`}</td><td class="number">${said?.attempts ?? "–"}</td>
<td class="name">${short(entry.value("user_id") ?? "–")}</td><td class="name">${short(entry.value("model") ?? "–")}</td>
<td class="wide">${said === undefined ? "it does not decode" : html`<code>${short(said.errorCode)}</code> ${short(said.errorMessage)}`}</td></tr>`
}

/** With boxes to mark them where something can be done. */
export const entryTable = (entries: ReadonlyArray<FailedEntry>, now: number, canMark: boolean): Html =>
  entries.length === 0
    ? html`<p>No entry.</p>`
    : bareTable(
        {
          id: "entries",
          hasKeys: true,
          head: [
            ...(canMark ? [html`<span class="hidden">Marked</span>`] : []),
            "Came",
            "Event",
            "Reason",
            ["Attempts"],
            "User",
            "Model",
            "Error"
          ]
        },
        entries.map((entry) => row(entry, now, canMark))
      )
