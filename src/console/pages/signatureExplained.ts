/** How a request for an event is signed, for whoever looks into why an API refused it. The signature itself is kept nowhere. */
import { instant } from "../../domain/events/instant.ts"
import type { Chapter } from "../../programs/operator/eventChapters.ts"
import { type Html, html } from "../html.ts"
import { short } from "./shown.ts"

/** When the last request went out, as far as it is known. */
const lastRequestAt = (chapters: ReadonlyArray<Chapter>): number | undefined => {
  const times = chapters.flatMap((chapter) => {
    if (chapter.place === "outcome") return [chapter.outcome.at]
    if (chapter.place === "source") return chapter.earlier.map(({ at }) => at)
    const history = chapter.place === "dlq" ? (chapter.retry.history ?? []) : chapter.history
    return history.map(({ at }) => at)
  })
  return times.length === 0 ? undefined : Math.max(...times)
}

export const signature = (chapters: ReadonlyArray<Chapter>, eventId: string): Html | undefined => {
  const at = lastRequestAt(chapters)
  if (at === undefined) return undefined
  const seconds = Math.floor(at / 1_000)
  return html`<details id="signature"><summary>How its last request was signed</summary>
<p>The last request that is known of went out about ${instant(at)}. Its signature is kept nowhere; a verifier makes sure of it so:</p>
<dl class="facts"><dt>Authorization</dt><dd><code>Ed25519 &lt;timestamp&gt;:&lt;signature&gt;</code>, the timestamp in Unix seconds, near <code>${seconds}</code></dd>
<dt>What is signed</dt><dd><code>v1\\n&lt;timestamp&gt;\\n&lt;SHA-256 of the body, in hex&gt;\\n&lt;X-Service-Id&gt;</code>, as UTF-8</dd>
<dt>Idempotency-Key</dt><dd><code>${short(eventId)}</code>, the same at every attempt: an API that knows it charges once</dd>
<dt>X-Key-Id</dt><dd>which key signed; the replicas on the overview say theirs</dd>
<dt>401 or 403</dt><dd>The key differs, the clocks are 5 minutes or more apart, or something on the way changed the body. <code>job-collector verify-api &lt;url&gt;</code> tells which.</dd></dl></details>`
}
