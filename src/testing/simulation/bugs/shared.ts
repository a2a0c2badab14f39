/** Deliberate mistakes in what replicas share: their names, figures and outcomes. */
import { Duration, Effect } from "effect"
import type { Bug } from "../simulate.ts"
import { redisBug, scriptOf, sendingInstead } from "./wrongly.ts"

/** Mistakes with outcomes show only where these are kept. */
const keepingOutcomes = { outcomeRetention: Duration.hours(1) }

export const sharedBugs: ReadonlyArray<Bug> = [
  redisBug(
    "name-shared",
    "name-shared",
    "takes a consumer name that another process has",
    () => (_send, name, args) => (scriptOf(name, args) === "lease" ? Effect.succeed(1) : undefined)
  ),
  redisBug(
    "figures-untold",
    "presence",
    "tells nobody that it runs",
    () => (_send, name, args) => (scriptOf(name, args) === "report" ? Effect.succeed(1) : undefined)
  ),
  redisBug("figures-for-days", "presence", "leaves figures that stand for days", () => (send, name, args) => {
    if (scriptOf(name, args) !== "report") return undefined
    return send(name, ...args.with(6, String(3 * 86_400_000)))
  }),
  redisBug(
    "counts-told-twice",
    "counts",
    "tells what it has counted twice",
    () => (send, name, args) => (scriptOf(name, args) === "report" ? send(name, ...args, ...args.slice(9)) : undefined)
  ),
  {
    name: "outcome-of-another",
    rule: "outcome",
    wrong: "keeps the job of another event",
    settings: keepingOutcomes,
    overrides: () => ({
      redis: sendingInstead((send, name, args) =>
        scriptOf(name, args) === "conclude"
          ? send(name, ...args.map((arg) => arg.replace(/"job_id":"(\d)/, '"job_id":"1$1')))
          : undefined
      )
    })
  },
  {
    name: "outcome-not-acknowledged",
    rule: "forgotten",
    wrong: "keeps how an event ended and does not acknowledge it",
    settings: keepingOutcomes,
    overrides: () => ({
      redis: sendingInstead((send, name, args) => {
        if (scriptOf(name, args) !== "conclude") return undefined
        const keys = Number(args[1])
        return Effect.as(
          send("SET", args[3] ?? "", args[6 + keys] ?? "", "PX", args[4 + keys] ?? ""),
          args.slice(5 + keys).length / 2
        )
      })
    })
  }
]
