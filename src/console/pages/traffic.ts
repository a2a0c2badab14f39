/** Traffic: the rules in force, and setting and lifting them. */
import { Clock, Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { typedDurationOf } from "../../domain/options/duration.ts"
import { namedPartition } from "../../domain/traffic/namedPartition.ts"
import { rateOf, rateRule } from "../../domain/traffic/rate.ts"
import { mostWhy, type Rule, ruleName, type Subject } from "../../domain/traffic/rules.ts"
import { type HeldBack, heldBack } from "../../programs/operator/heldBack.ts"
import { SelectionError } from "../../programs/operator/selection.ts"
import { askProbe, currentRules, liftRule, type Setting, setRule } from "../../programs/traffic/controlTraffic.ts"
import type { Visitor } from "../access.ts"
import { CurrentVisitor } from "../guard.ts"
import { type Html, html } from "../html.ts"
import { controlledOf, glancedOf, Served } from "../served.ts"
import { antiForgery, page } from "./layout.ts"
import { type Given, givenForm } from "./query.ts"
import { counted, short, time } from "./shown.ts"

const lift = (
  rule: Rule,
  visitor: Visitor
): Html => html`<form method="post" action="/traffic/lift">${antiForgery(visitor)}<input type="hidden" name="kind" value="${rule.kind}">
${rule.kind === "park" ? html`<input type="hidden" name="partition" value="${rule.field}=${rule.value}">` : undefined}<button>Lift</button></form>`

const holds = ({ count, isMore }: HeldBack): string => {
  if (count === undefined) return "unknown"
  return isMore ? `at least ${counted(count)}` : counted(count)
}

const table = (held: ReadonlyArray<HeldBack>, visitor: Visitor, now: number): Html =>
  held.length === 0
    ? html`<p>No rule is in force: everything is delivered.</p>`
    : html`<div class="scroll"><table><thead><tr><th scope="col">Rule<th scope="col" class="number">Holds back<th scope="col">Ends<th scope="col">Set by<th scope="col">When<th scope="col">Why<th scope="col"><span class="hidden">Lift</span></tr></thead><tbody data-rows>${held.map(
        ({ rule, ...more }) =>
          html`<tr><th scope="row">${short(ruleName(rule))}</th><td class="number">${holds({ rule, ...more })}</td><td>${rule.until === undefined ? "when it is lifted" : time(rule.until, now)}</td><td>${rule.by}</td><td>${time(rule.at, now)}</td><td>${rule.why ?? "–"}</td><td>${visitor.role === "act" ? lift(rule, visitor) : undefined}</td></tr>`
      )}</tbody></table></div>`

const setting = (
  visitor: Visitor,
  kind: string,
  title: string,
  field: Html,
  question: string
): Html => html`<h2>${title}</h2><form class="filters" method="post" action="/traffic/set" data-confirm="${question}">${antiForgery(visitor)}<input type="hidden" name="kind" value="${kind}">
${field}<label>For how long <input name="duration" placeholder="10m; empty: until lifted"></label><label>Why <input name="why" maxlength="${mostWhy}"></label><button>${title}</button></form>`

const probing = (visitor: Visitor): Html =>
  html`<h2>Probe now</h2><p class="hint">Open circuits, the API's and those of partitions, are probed at once instead of at their next time.</p><form class="filters" method="post" action="/traffic/probe">${antiForgery(visitor)}<label>Why <input name="why" maxlength="${mostWhy}"></label><button>Probe now</button></form>`

/** A page is there at once: so many entries of the DLQ are looked at for what is parked. */
const mostLookedAt = 1_000

const settings = (
  visitor: Visitor
): Html => html`${setting(visitor, "pause", "Pause all", html``, "Pause the deliveries of every replica?")}
${setting(visitor, "limit", "Limit", html`<label>Rate <input name="rate" required placeholder="200 per second"></label>`, "Limit the deliveries of all replicas together?")}
${probing(visitor)}
${setting(visitor, "park", "Park", html`<label>Whose events <input name="partition" required placeholder="user_id=u-1"></label>`, "Set these events aside?")}`

const show = Effect.gen(function* () {
  const visitor = yield* CurrentVisitor
  const served = yield* Served
  const { rules, unreadable } = yield* currentRules(controlledOf(served))
  const held = yield* heldBack(glancedOf(served), rules, mostLookedAt)
  const now = yield* Clock.currentTimeMillis
  return page(
    { title: "Traffic", visitor, current: "/traffic" },
    html`<h1>Traffic</h1>${unreadable === undefined ? undefined : html`<p class="problem">The rules cannot be read, and replicas keep to those they knew before: ${short(unreadable)}</p>`}
${table(held.rules, visitor, now)}${held.rules.some(({ isMore }) => isMore) ? html`<p class="hint" id="looked">What is parked was counted among the latest ${counted(held.looked)} entries of the DLQ; <code>job-collector rules</code> looks farther.</p>` : undefined}<pre class="command">job-collector rules</pre>${visitor.role === "act" ? settings(visitor) : html`<p class="hint">Setting and lifting rules needs a token that may act.</p>`}`
  )
})

const wrong = (problem: string) => new SelectionError({ problem })

const subjectOf = (given: Given): Effect.Effect<Subject, SelectionError> => {
  const kind = given.get("kind")
  if (kind === "pause" || kind === "limit") return Effect.succeed({ kind })
  const read = namedPartition(given.get("partition") ?? "")
  return "problem" in read ? Effect.fail(wrong(read.problem)) : Effect.succeed({ kind: "park", ...read })
}

const settingOf = Effect.fnUntraced(function* (given: Given): Effect.fn.Return<Setting, SelectionError> {
  const subject = yield* subjectOf(given)
  if (subject.kind === "park") return subject
  if (subject.kind === "pause") return { kind: "pause" }
  const rate = rateOf(given.get("rate") ?? "")
  return rate === undefined ? yield* wrong(`rate: must be ${rateRule}`) : { kind: "limit", rate }
})

const wishOf = Effect.fnUntraced(function* (given: Given) {
  const { name } = yield* CurrentVisitor
  const text = given.get("duration")?.trim() ?? ""
  const duration = text === "" ? undefined : typedDurationOf(text)
  if (text !== "" && duration === undefined)
    return yield* wrong('for how long: must be a duration such as 10m or "10 minutes"')
  const why = given.get("why")?.trim() ?? ""
  if (why.length > mostWhy) return yield* wrong(`why: must be at most ${mostWhy} characters`)
  return { by: name ?? "", duration, why: why === "" ? undefined : why }
})

const back = HttpServerResponse.redirect("/traffic", { status: 303 })

const set = Effect.gen(function* () {
  const given = yield* givenForm
  yield* setRule(controlledOf(yield* Served), yield* settingOf(given), yield* wishOf(given))
  return back
})

const probe = Effect.gen(function* () {
  const { by, why } = yield* wishOf(yield* givenForm)
  yield* askProbe(controlledOf(yield* Served), { by, why })
  return back
})

const liftOne = Effect.gen(function* () {
  const given = yield* givenForm
  yield* liftRule(controlledOf(yield* Served), yield* subjectOf(given), yield* wishOf(given))
  return back
})

export const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/traffic", show),
  HttpRouter.add("POST", "/traffic/set", set),
  HttpRouter.add("POST", "/traffic/probe", probe),
  HttpRouter.add("POST", "/traffic/lift", liftOne)
)
