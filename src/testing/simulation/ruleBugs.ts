/** Deliberate mistakes with the traffic rules, as those of bugs.ts: each is made in what the app is given. */
import { Effect, Result } from "effect"
import { rulesOf, storedRules } from "../../domain/traffic/rules.ts"
import type { Redis } from "../../services/Redis.ts"
import type { Bug } from "./simulate.ts"

/** Of the rules in a key's text those that were set at a time or later. */
const rulesSince = (stored: unknown, at: number): string =>
  storedRules(
    Result.getOrElse(rulesOf(typeof stored === "string" ? stored : undefined), () => []).filter((rule) => rule.at >= at)
  )

export const rulesForgotten: Bug = {
  name: "rules-forgotten",
  rule: "rule-ignored",
  wrong: "a replica that starts anew knows no traffic rule that was set before",
  overrides: ({ name: process, now: startedAt }) => {
    // Those who set rules read them as they are.
    if (process.startsWith("traffic-")) return {}
    return {
      redis: (redis: Redis["Service"]) => ({
        ...redis,
        send: <A>(name: string, ...args: ReadonlyArray<string>) => {
          const sent = redis.send<A>(name, ...args)
          const isRules = name === "GET" && args[0]?.includes(":rules:") === true
          return isRules ? Effect.map(sent, (stored) => rulesSince(stored, startedAt) as A) : sent
        }
      })
    }
  }
}
