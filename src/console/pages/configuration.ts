/** Configuration: what is installed, how it came to be, and what can be decided about it. No key's value is ever shown. */
import { Clock, Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Change } from "../../domain/gatewayConfig/diff.ts"
import { relativeChange } from "../../domain/gatewayConfig/relativeChange.ts"
import { typedDurationOf } from "../../domain/options/duration.ts"
import { mostWhy } from "../../domain/traffic/rules.ts"
import {
  configurationDiff,
  configurationHistory,
  configurationStatus
} from "../../programs/gatewayConfig/configOperations.ts"
import { SelectionError } from "../../programs/operator/selection.ts"
import type { Visitor } from "../access.ts"
import { type ConfigDecision, configFolder, decide } from "../configuration.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { antiForgery, page } from "./layout.ts"
import { type Given, givenForm } from "./query.ts"
import { counted, plural, short, time } from "./shown.ts"

type Status = Effect.Success<ReturnType<typeof configurationStatus>>
type Version = Effect.Success<ReturnType<typeof configurationHistory>>[number]

const signs = { added: "+", removed: "−", changed: "~" } as const

const change = ({ after, before, kind, path }: Change): Html => {
  const relative = relativeChange({ before, after })
  const values = [before, after].filter((value) => value !== undefined && value !== "{…}")
  return html`<li><span class="${kind === "added" ? "good" : kind === "removed" ? "bad" : ""}" aria-label="${kind}">${signs[kind]}</span> ${short(path)}${values.length === 0 ? undefined : html`: ${short(values.join(" → "))}`}${
    relative === undefined
      ? undefined
      : html` <strong class="${relative.isAlarming ? "bad" : "hint"}">${relative.text}</strong>`
  }</li>`
}

/** What a version changed, if the one before it is kept. */
const diffOf = Effect.fnUntraced(function* (version: Version) {
  if (!version.kept || version.goes_back_to === null) return undefined
  const compared = configurationDiff(yield* configFolder, { from: version.goes_back_to, to: version.generation })
  const difference = yield* Effect.option(compared)
  if (difference._tag === "None")
    return html`<p class="hint">What it changed is not known: the version before it is no longer kept.</p>`
  const { changes, total } = difference.value
  if (total === 0) return html`<p class="hint">No parameter differs from the version before.</p>`
  return html`<ul class="diff" aria-label="Changes">${changes.map(change)}</ul>${total > changes.length ? html`<p class="hint">and ${counted(total - changes.length)} more</p>` : undefined}`
})

const ago = (at: string | null, now: number): Html => (at === null ? html`?` : time(Date.parse(at), now))

const versionItem = Effect.fnUntraced(function* (version: Version, now: number) {
  const { current, generation, installed_at, kept, left_at, left_by, reason } = version
  const tone = current ? "now" : left_by === null ? "" : "bad"
  const left =
    left_by === null
      ? undefined
      : html` <strong class="bad">left ${ago(left_at, now)}: ${left_by === "gateway" ? "the gateway did not take it up" : "rolled back"}</strong>`
  return html`<li class="${tone}" id="generation-${generation}"><span class="when">${installed_at ?? "unknown time"} · ${ago(installed_at, now)}</span><strong>Version ${version.version ?? "?"}</strong>${current ? html` <span class="chip">installed</span>` : undefined}${left} <small>generation ${generation}, ${kept ? (reason ?? "damaged") : "no longer kept"}</small>${yield* diffOf(version)}</li>`
})

const statusFacts = (status: Status): Html => {
  const { accepted_version, drift, generation, held, held_until, keys, kept_out, models, rate_limits, version } = status
  return html`<dl class="facts" id="status"><dt>Installed</dt><dd>${version === null ? "nothing yet" : html`<strong>version ${version}</strong>, generation ${generation ?? "–"}`}</dd>
<dt>Keys</dt><dd>${keys.length === 0 ? "–" : short(keys.join(", "))} <small>values are never shown</small></dd>
<dt>Models</dt><dd>${models.length === 0 ? "–" : short(models.join(", "))}</dd><dt>Rate limits</dt><dd>${rate_limits}</dd>
<dt>Gateway</dt><dd>${status.reload_pending ? html`<span class="attention">to be told at the service's next tick</span>` : "told"}</dd>
<dt>Installs</dt><dd>${held ? html`<span class="attention">held ${held_until === null ? "until released" : `until ${held_until}`}</span>` : "go on"}</dd>
<dt>Kept out</dt><dd>${kept_out === null ? "nothing" : html`<span class="attention">versions up to ${kept_out.up_to_version} (${kept_out.cause})</span>`}</dd>
<dt>Accepted once</dt><dd>${accepted_version === null ? "nothing" : `version ${accepted_version}`}</dd>
<dt>Drift</dt><dd>${drift.length === 0 ? "none: the files are as they were installed" : drift.map((line) => html`<span class="bad">${short(line)}</span><br>`)}</dd></dl>`
}

const why = html`<label>Why, for the audit <input name="why" maxlength="${mostWhy}"></label>`

const card = (visitor: Visitor, act: string, title: string, question: string, fields: Html, hint: string): Html =>
  html`<section class="card"><h3>${title}</h3><p class="hint">${hint}</p><form class="filters" method="post" action="/configuration/${act}" data-confirm="${question}">${antiForgery(visitor)}${fields}${why}<button>${title}</button></form></section>`

const decisionsFor = (visitor: Visitor, { held }: Status): Html => html`<h2 id="decide">Decide</h2><div class="cards">
${
  held
    ? card(visitor, "release", "Release", "Let installs and repairs go on?", html``, "Installs and repairs go on.")
    : card(
        visitor,
        "hold",
        "Hold",
        "Suspend installs and repairs?",
        html`<label>For how long <input name="duration" placeholder="30m; empty: until released"></label>`,
        "Nothing is installed or repaired meanwhile."
      )
}
${card(visitor, "rollback", "Roll back", "Go back to the generation before?", html``, "Goes back a generation; the version that is left stays out until a higher one arrives.")}
${card(visitor, "accept", "Accept", "Let this version in once?", html`<label>Version <input name="version" required inputmode="numeric" pattern="[0-9]+"></label>`, "Lets in once what is refused: a lower version, changed content, or one that is kept out.")}</div>`

const show = Effect.gen(function* () {
  const visitor = yield* CurrentVisitor
  const about = { title: "Configuration", visitor, current: "/configuration" } as const
  const folder = yield* Effect.result(configFolder)
  if (folder._tag === "Failure") {
    if (folder.failure.reason !== "NoFolder") return yield* folder.failure
    return page(about, html`<h1>Configuration</h1><p id="status">${folder.failure.message}.</p>`)
  }
  const store = folder.success
  const now = yield* Clock.currentTimeMillis
  const status = yield* configurationStatus(store)
  const versions = yield* configurationHistory(store)
  const items = yield* Effect.forEach(versions, (version) => versionItem(version, now))
  return page(
    about,
    html`<h1>Configuration</h1>${statusFacts(status)}${visitor.role === "act" ? decisionsFor(visitor, status) : undefined}
<h2 id="versions">Versions</h2>${items.length === 0 ? html`<p>Nothing is installed.</p>` : html`<p class="hint">${plural(versions.length, "version")}, the newest first, each with what it changed.</p><ol class="timeline" aria-labelledby="versions">${items}</ol>`}
<pre class="command">job-collector config history</pre>`
  )
})

const wrong = (problem: string) => new SelectionError({ problem })

const decisionIn = (act: string, given: Given): Effect.Effect<ConfigDecision, SelectionError> => {
  switch (act) {
    case "hold": {
      const text = given.get("duration")?.trim() ?? ""
      const duration = text === "" ? undefined : typedDurationOf(text)
      return text !== "" && duration === undefined
        ? Effect.fail(wrong('for how long: must be a duration such as 30m or "30 minutes"'))
        : Effect.succeed({ _tag: "Hold", duration })
    }
    case "release":
      return Effect.succeed({ _tag: "Release" })
    case "rollback":
      return Effect.succeed({ _tag: "RollBack" })
    default: {
      const version = given.get("version") ?? ""
      return /^[1-9]\d{0,14}$/.test(version)
        ? Effect.succeed({ _tag: "Accept", version: Number(version) })
        : Effect.fail(wrong("version: must be a whole number of at least 1"))
    }
  }
}

const act = (name: "hold" | "release" | "rollback" | "accept") =>
  HttpRouter.add(
    "POST",
    `/configuration/${name}`,
    Effect.gen(function* () {
      const given = yield* givenForm
      const reason = given.get("why")?.trim() ?? ""
      if (reason.length > mostWhy) return yield* wrong(`why: must be at most ${mostWhy} characters`)
      yield* decide(yield* decisionIn(name, given), reason === "" ? undefined : reason)
      return HttpServerResponse.redirect("/configuration", { status: 303 })
    })
  )

export const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/configuration", show),
  act("hold"),
  act("release"),
  act("rollback"),
  act("accept")
)
