/** Traffic control for a host app: what the commands do, as effects of a running collector (contract section 9). */
import { Duration, Effect, Schema } from "effect"
import { namedPartition } from "../../domain/traffic/namedPartition.ts"
import { rateOf, rateRule } from "../../domain/traffic/rate.ts"
import { mostWho, mostWhy, type Rule, type Rules, type Subject } from "../../domain/traffic/rules.ts"
import { type Controlled, currentRules, liftRule, type Setting, setRule, type Wish } from "./controlTraffic.ts"

/**
 * A traffic rule was not set or lifted. `Invalid`: what was asked for cannot be; `TooManyRules`: a thousand stand already;
 * `Unreadable`: what stands in Redis is no rules; `Redis`: it is away, or refuses.
 */
export class TrafficControlError extends Schema.TaggedError<TrafficControlError>()("TrafficControlError", {
  reason: Schema.Literals(["Invalid", "TooManyRules", "Unreadable", "Redis"]),
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** What goes with a rule that is lifted. */
export interface LiftOptions {
  /** The reason, for the audit: at most 500 characters. */
  readonly why?: string | undefined
  /** Who does it, for the audit: at most 128 characters; by default the collector's consumer name. */
  readonly as?: string | undefined
}

/** What goes with a rule that is set. */
export interface RuleOptions extends LiftOptions {
  /** How long it holds; without it until it is lifted. */
  readonly duration?: Duration.Input | undefined
}

/**
 * The traffic of every replica of the consumer group. Rules stand in Redis: each replica obeys them within two seconds,
 * and after a restart as well. An effect succeeds when the rule stands there.
 */
export interface TrafficControl {
  /** Begins no delivery until the pause ends; what is in flight ends. */
  readonly pause: (options?: RuleOptions) => Effect.Effect<Rule, TrafficControlError>
  /** Ends a pause: true where there was one. */
  readonly resume: (options?: LiftOptions) => Effect.Effect<boolean, TrafficControlError>
  /** Limits the requests of all replicas together, to `"200 per second"` say; `"off"` ends the limit. */
  readonly limit: (rate: string, options?: RuleOptions) => Effect.Effect<Rule | undefined, TrafficControlError>
  /** Sets the events of one partition aside, without a failure: `"user_id=u-1"`, `"model=gpt-4o"`. */
  readonly park: (partition: string, options?: RuleOptions) => Effect.Effect<Rule, TrafficControlError>
  /** Lets parked events go on: true where they were parked. */
  readonly unpark: (partition: string, options?: LiftOptions) => Effect.Effect<boolean, TrafficControlError>
  /** The rules in force, of whoever set them. */
  readonly rules: Effect.Effect<ReadonlyArray<Rule>, TrafficControlError>
}

const invalid = (problem: string) => new TrafficControlError({ reason: "Invalid", problem })

const textProblem = (name: string, text: unknown, most: number): string | undefined => {
  if (text === undefined) return undefined
  return typeof text === "string" && text.trim() !== "" && text.length <= most
    ? undefined
    : `${name}: must be a text of 1 to ${most} characters`
}

/** The options as a wish, from JavaScript too. */
const wishOf = (by: string, { as, duration, why }: RuleOptions): Effect.Effect<Wish, TrafficControlError> => {
  const problem = textProblem("why", why, mostWhy) ?? textProblem("as", as, mostWho)
  if (problem !== undefined) return Effect.fail(invalid(problem))
  if (duration === undefined) return Effect.succeed({ by: as ?? by, why })
  return Effect.try({ try: () => Duration.fromInputUnsafe(duration), catch: () => invalid("duration: is none") }).pipe(
    Effect.filterOrFail(
      (it) => Duration.isFinite(it) && Duration.toMillis(it) > 0,
      () => invalid("duration: must be finite and above 0")
    ),
    Effect.map((it) => ({ by: as ?? by, why, duration: it }))
  )
}

export const makeTrafficControl = (controlled: Controlled, by: string): TrafficControl => {
  const told = <A, E extends { readonly _tag: string; readonly message: string }>(change: Effect.Effect<A, E>) =>
    Effect.mapError(
      change,
      (error) =>
        new TrafficControlError({
          reason: error._tag === "TooManyRules" ? "TooManyRules" : "Redis",
          problem: error.message
        })
    )

  /** The rule stands, and the log says where the audit does not have it. */
  const sayUnaudited = (action: string, error: { readonly message: string } | undefined) =>
    error === undefined
      ? Effect.void
      : Effect.logWarning("audit.failed").pipe(Effect.annotateLogs({ action, problem: error.message }))

  const set = Effect.fnUntraced(function* (setting: Setting, options: RuleOptions = {}) {
    const wish = yield* wishOf(by, options)
    const { set: rule, unaudited } = yield* told(setRule(controlled, setting, wish))
    yield* sayUnaudited(setting.kind, unaudited)
    return rule
  })

  const lift = Effect.fnUntraced(function* (subject: Subject, options: LiftOptions = {}) {
    const wish = yield* wishOf(by, options)
    const { touched, unaudited } = yield* told(liftRule(controlled, subject, wish))
    yield* sayUnaudited(`end of ${subject.kind}`, unaudited)
    return touched.length > 0
  })

  const named = (partition: string) => {
    const read = namedPartition(String(partition))
    return "problem" in read ? Effect.fail(invalid(`${partition}: ${read.problem}`)) : Effect.succeed(read)
  }

  return {
    pause: (options) => set({ kind: "pause" }, options),
    resume: (options) => lift({ kind: "pause" }, options),
    limit: (rate, options) => {
      const read = rateOf(String(rate))
      if (read !== undefined) return set({ kind: "limit", rate: read }, options)
      return rate === "off"
        ? Effect.as(lift({ kind: "limit" }, options), undefined)
        : Effect.fail(invalid(`${rate}: must be off, or ${rateRule}`))
    },
    park: (partition, options) =>
      Effect.flatMap(named(partition), (parked) => set({ kind: "park", ...parked }, options)),
    unpark: (partition, options) =>
      Effect.flatMap(named(partition), (parked) => lift({ kind: "park", ...parked }, options)),
    rules: Effect.flatMap(
      told(currentRules(controlled)),
      ({ rules, unreadable }): Effect.Effect<Rules, TrafficControlError> =>
        unreadable === undefined
          ? Effect.succeed(rules)
          : Effect.fail(new TrafficControlError({ reason: "Unreadable", problem: unreadable }))
    )
  }
}
