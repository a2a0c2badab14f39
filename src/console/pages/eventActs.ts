/** What can be done with one event, where it stands now. */
import type { Chapter } from "../../programs/operator/eventChapters.ts"
import { type Html, html } from "../html.ts"
import { linkTo } from "./query.ts"

/** Each act goes by the preview that every act goes by. */
export const actsOn = (chapters: ReadonlyArray<Chapter>): Html | undefined => {
  const chapter = chapters.findLast(({ place }) => place === "abandoned" || place === "dlq")
  if (chapter === undefined || chapter.place === "outcome") return undefined
  const link = (action: string) => linkTo("/jobs/new", [["id", chapter.id]], { action })
  return chapter.place === "abandoned"
    ? html`<p class="row"><a class="button primary" data-key="r" href="${link("abandoned replay")}">Replay…</a><a class="button danger" href="${link("abandoned drop")}">Drop…</a></p>`
    : html`<p class="row"><a class="button primary" data-key="r" href="${link("dlq retry")}">Retry now…</a><a class="button danger" href="${link("dlq drop")}">Drop…</a></p>`
}
