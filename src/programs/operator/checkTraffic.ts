/** What `check` finds of the traffic rules: which are in force, and whether they can be read. */
import { Effect } from "effect"
import { instant } from "../../domain/events/instant.ts"
import { cut } from "../../domain/text/printable.ts"
import { type Rule, ruleName } from "../../domain/traffic/rules.ts"
import { type Controlled, currentRules } from "../traffic/controlTraffic.ts"
import { bad, type Finding, good, warning } from "./doctor.ts"

const shownMost = 3

const shown = (rule: Rule): string =>
  `${ruleName(rule)} ${rule.until === undefined ? "until it is lifted" : `until ${instant(rule.until)}`}, set by ${rule.by}`

export const checkTraffic = (controlled: Controlled): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(currentRules(controlled), {
    // What Redis refuses is said among the permissions.
    onFailure: ({ message, reason }) =>
      reason._tag === "WrongType"
        ? [bad("traffic rules", message, "another program uses their key: delete or rename it")]
        : [],
    onSuccess: ({ rules, unreadable }) => {
      if (unreadable !== undefined) {
        return [
          bad("traffic rules", `they cannot be read: ${cut(unreadable, 200)}`, "set a rule anew, or delete their key")
        ]
      }
      if (rules.length === 0) return [good("traffic rules", "none is set")]
      const more = rules.length > shownMost ? `; and ${rules.length - shownMost} more` : ""
      const remedy = "job-collector rules shows them, with how to lift each in its help"
      return [warning("traffic rules", `${rules.slice(0, shownMost).map(shown).join("; ")}${more}`, remedy)]
    }
  })
