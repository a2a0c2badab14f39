/**
 * The rules that operators set for all replicas of a group (contract section 6, "Traffic control"): as they stand in Redis, and
 * what they come to at a time.
 */
import { Result, Schema } from "effect"
import { jsonLimitProblem } from "../json/jsonLimits.ts"
import { mostPerSpan, rateSpansMs, shownRate } from "./rate.ts"

const text = (most: number) => Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(most))

/** The longest name of whoever sets a rule, and the longest reason, in UTF-16 units. */
export const mostWho = 128
export const mostWhy = 500
/** The longest name and value of a partition. */
const mostField = 128
export const mostValue = 256
/** So many rules may stand at a time: the key that holds them is read every second. */
export const mostRules = 1_000

/** Who set a rule, when and why, and until when it holds; times in epoch milliseconds, without `until` for good. */
const common = {
  at: Schema.Int,
  by: text(mostWho),
  why: Schema.optionalKey(text(mostWhy)),
  until: Schema.optionalKey(Schema.Int)
}

/** No delivery begins. */
const Pause = Schema.Struct({ kind: Schema.Literal("pause"), ...common })
/** No more requests than this, of all replicas together. */
const Limit = Schema.Struct({
  kind: Schema.Literal("limit"),
  rate: Schema.Struct({
    count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: mostPerSpan })),
    perMs: Schema.Literals(rateSpansMs)
  }),
  ...common
})
/** No event of one partition is attempted. */
const Park = Schema.Struct({
  kind: Schema.Literal("park"),
  field: text(mostField),
  value: text(mostValue),
  ...common
})

const Rule = Schema.Union([Pause, Limit, Park])
/** A traffic rule: its `kind`, who set it, when and why, and until when it holds. Times are epoch milliseconds. */
export type Rule = typeof Rule.Type
export type Pause = typeof Pause.Type
export type Limit = typeof Limit.Type
export type Park = typeof Park.Type
export type RuleKind = Rule["kind"]
export const ruleKinds = ["pause", "limit", "park"] as const satisfies ReadonlyArray<RuleKind>

export type Rules = ReadonlyArray<Rule>

const mostCharacters = 4_000_000

/** What the rules' key holds beside them: older versions pass over it. */
export interface Traffic {
  readonly rules: Rules
  /** When somebody last asked for open circuits to be probed at once, in epoch milliseconds. */
  readonly probeAt: number | undefined
}

const Stored = Schema.String.check(
  Schema.makeFilter((json: string) =>
    json.length > mostCharacters ? `must be at most ${mostCharacters} characters` : jsonLimitProblem(json)
  )
).pipe(
  Schema.decodeTo(
    Schema.fromJsonString(
      Schema.Struct({
        rules: Schema.Array(Rule).check(Schema.isMaxLength(mostRules)),
        probe_at: Schema.optionalKey(Schema.Int)
      })
    )
  )
)
const decode = Schema.decodeUnknownResult(Stored)

/** What a key's text holds, or why it cannot be read; no text, no rules. */
export const trafficOf = (stored: string | undefined): Result.Result<Traffic, string> =>
  stored === undefined
    ? Result.succeed({ rules: [], probeAt: undefined })
    : Result.match(decode(stored), {
        onFailure: ({ message }) => Result.fail(message),
        onSuccess: ({ probe_at, rules }) => Result.succeed({ rules, probeAt: probe_at })
      })

/** The rules alone of {@link trafficOf}. */
export const rulesOf = (stored: string | undefined): Result.Result<Rules, string> =>
  Result.map(trafficOf(stored), ({ rules }) => rules)

/** Rules as their key holds them. */
export const storedRules = (rules: Rules, probeAt?: number): string =>
  JSON.stringify({ rules, ...(probeAt === undefined ? {} : { probe_at: probeAt }) })

export const isActive = ({ until }: Rule, now: number): boolean => until === undefined || now < until

/** What a rule does, as people read it. */
export const ruleName = (rule: Rule): string => {
  switch (rule.kind) {
    case "pause":
      return "pause"
    case "limit":
      return `limit ${shownRate(rule.rate)}`
    case "park":
      return `park ${rule.field}=${rule.value}`
  }
}

/** What a rule is about: of two about the same the later one replaces the other. */
export type Subject = { readonly kind: "pause" | "limit" } | Pick<Park, "kind" | "field" | "value">

export const isAbout = (rule: Rule, subject: Subject): boolean =>
  rule.kind === subject.kind &&
  (rule.kind !== "park" || subject.kind !== "park" || (rule.field === subject.field && rule.value === subject.value))

/** The rules that hold at a time. */
export const activeRules = (rules: Rules, now: number): Rules => rules.filter((rule) => isActive(rule, now))

/** Without those about a subject, and without those that have ended. */
export const withoutRule = (rules: Rules, subject: Subject, now: number): Rules =>
  activeRules(rules, now).filter((rule) => !isAbout(rule, subject))

/** With a rule that replaces what was about the same, and without those that have ended. */
export const withRule = (rules: Rules, rule: Rule, now: number): Rules => [...withoutRule(rules, rule, now), rule]
