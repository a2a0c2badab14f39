/** Whether an API is one that the collector can deliver to: its rules in order (contract sections 4 and 7). */
import { Effect } from "effect"
import { answers } from "./answers.ts"
import { authentication } from "./authentication.ts"
import { configurations } from "./configurations.ts"
import { jobs } from "./jobs.ts"
import type { Rule } from "./rule.ts"
import { make, type Options } from "./subject.ts"

/** What was found about one rule. */
export interface Finding {
  readonly rule: string
  readonly title: string
  readonly ok: boolean
  readonly seen: string
}

/** What the test left behind. */
export interface Created {
  readonly event_id_prefix: string
  readonly user_id: string
  readonly jobs: number
  readonly credits_deducted: number
}

const good: Rule = {
  id: "good-request",
  title: "a good request is accepted",
  check: Effect.fnUntraced(function* (api) {
    const { creditsDeducted, jobId } = yield* api.accepted(api.post(yield* api.event("good-request")))
    return `job ${jobId}, ${creditsDeducted} credits`
  })
}

const rules: ReadonlyArray<Rule> = [good, ...authentication, ...jobs, ...configurations, ...answers]

/**
 * Holds an API to every rule, telling each finding as it comes. Where nobody answers at all, or the good request is not
 * accepted, the rest would say nothing: the first finding is then the only one.
 */
export const verify = Effect.fnUntraced(function* <E, R>(
  options: Options,
  found: (finding: Finding) => Effect.Effect<void, E, R>
) {
  const api = make(options)
  const findings: Array<Finding> = []
  for (const { check, id, title } of rules) {
    const finding = yield* check(api).pipe(
      Effect.map((seen): Finding => ({ rule: id, title, ok: true, seen })),
      Effect.catchTags({
        Broken: ({ seen }) => Effect.succeed<Finding>({ rule: id, title, ok: false, seen }),
        WireError: ({ problem }) => Effect.succeed<Finding>({ rule: id, title, ok: false, seen: problem })
      })
    )
    findings.push(finding)
    yield* found(finding)
    if (id === good.id && !finding.ok) break
  }
  const made = api.jobs()
  const created: Created = {
    event_id_prefix: options.prefix,
    user_id: options.userId,
    jobs: made.length,
    credits_deducted: made.reduce((sum, { creditsDeducted = 0 }) => sum + creditsDeducted, 0)
  }
  return { findings, created }
})
