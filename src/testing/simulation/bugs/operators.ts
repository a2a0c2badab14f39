/** Deliberate mistakes in an operator's commands, and in what replicas make of them. */
import { Effect, Result } from "effect"
import { rulesOf, storedRules } from "../../../domain/traffic/rules.ts"
import type { Bug } from "../simulate.ts"
import { type Args, type Instead, scriptOf, sendingInstead } from "./wrongly.ts"

/** In the processes whose name begins so, or in all others. */
const redisBugOf = (
  whose: "operator-" | "traffic-" | "replica-",
  bug: Omit<Bug, "overrides">,
  make: () => Instead
): Bug => ({
  ...bug,
  overrides: ({ name }) => (name.startsWith(whose) ? { redis: sendingInstead(make()) } : {})
})

const isRules = (name: string, args: Args): boolean => name === "GET" && args[0]?.includes(":rules:") === true

export const operatorBugs: ReadonlyArray<Bug> = [
  redisBugOf(
    "operator-",
    { name: "replay-miscounts", rule: "replay-miscounted", wrong: "does not count all that it replays" },
    () => {
      let serial = 0
      return (send, name, args) =>
        scriptOf(name, args) === "replay" && ++serial % 3 === 0 ? Effect.as(send(name, ...args), null) : undefined
    }
  ),
  redisBugOf(
    "operator-",
    { name: "replay-passes-over", rule: "replay-passed-over", wrong: "passes over the last of some entries" },
    () => {
      return (send, name, args) =>
        name === "XRANGE" && args[0]?.endsWith(":abandoned") === true
          ? Effect.map(send<ReadonlyArray<unknown>>(name, ...args), (entries) =>
              entries.slice(0, Math.max(1, entries.length - 1))
            )
          : undefined
    }
  ),
  redisBugOf(
    "operator-",
    { name: "replay-hangs", rule: "command-stuck", wrong: "waits for ever for what it replayed fourth" },
    () => {
      let serial = 0
      return (_send, name, args) => (scriptOf(name, args) === "replay" && ++serial === 4 ? Effect.never : undefined)
    }
  ),
  redisBugOf(
    "operator-",
    { name: "replay-breaks", rule: "command-failed", wrong: "has a driver that breaks at the second replay" },
    () => {
      let serial = 0
      return (_send, name, args) =>
        scriptOf(name, args) === "replay" && ++serial === 2 ? Effect.die(new Error("the driver is broken")) : undefined
    }
  ),
  redisBugOf(
    "operator-",
    { name: "replay-unaudited", rule: "unaudited", wrong: "leaves no word in the audit of what it replayed" },
    () => {
      return (_send, name, args) =>
        name === "XADD" && args[0]?.endsWith(":audit") === true ? Effect.succeed("1-1") : undefined
    }
  ),
  redisBugOf(
    "traffic-",
    { name: "rules-unaudited", rule: "unaudited", wrong: "leaves no word in the audit of the rules it sets" },
    () => {
      return (_send, name, args) =>
        name === "XADD" && args[0]?.endsWith(":audit") === true ? Effect.succeed("1-1") : undefined
    }
  ),
  redisBugOf("replica-", { name: "rules-kept", rule: "lost", wrong: "keeps to a pause that was lifted" }, () => {
    let longest = ""
    return (send, name, args) =>
      isRules(name, args)
        ? Effect.map(send(name, ...args), (stored) => {
            if (typeof stored === "string" && stored.length >= longest.length) longest = stored
            return longest === "" ? stored : longest
          })
        : undefined
  }),
  redisBugOf("replica-", { name: "rules-endless", rule: "lost", wrong: "does not see until when a rule holds" }, () => {
    let kept: unknown = null
    return (send, name, args) =>
      isRules(name, args)
        ? Effect.map(send(name, ...args), (stored) => {
            if (typeof stored !== "string") return kept ?? stored
            const rules = Result.getOrElse(rulesOf(stored), () => [])
            if (rules.some(({ until }) => until !== undefined))
              kept = storedRules(rules.map(({ until: _, ...rule }) => rule))
            return kept ?? stored
          })
        : undefined
  })
]
