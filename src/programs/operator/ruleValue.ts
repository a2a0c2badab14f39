/** Traffic rules as the command prints them and the admin API answers them: times as ISO 8601. */
import { instant } from "../../domain/events/instant.ts"
import { shownRate } from "../../domain/traffic/rate.ts"
import type { Rule } from "../../domain/traffic/rules.ts"
import type { HeldBack } from "./heldBack.ts"

export const ruleValue = (rule: Rule) => ({
  kind: rule.kind,
  ...(rule.kind === "limit" ? { rate: shownRate(rule.rate) } : {}),
  ...(rule.kind === "park" ? { field: rule.field, value: rule.value } : {}),
  at: instant(rule.at),
  until: rule.until === undefined ? null : instant(rule.until),
  by: rule.by,
  why: rule.why ?? null
})

/** A rule with what it holds back. */
export const heldValue = ({ count, isMore, rule }: HeldBack) => ({
  ...ruleValue(rule),
  holds: count ?? null,
  holds_more: isMore
})
