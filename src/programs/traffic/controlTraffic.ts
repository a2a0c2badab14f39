/** Sets and lifts the traffic rules of a group: what the commands and a host app's programs come to. */
import { Clock, Duration, Effect, Result, Schema } from "effect"
import type { NamedPartition } from "../../domain/traffic/namedPartition.ts"
import { shownRate } from "../../domain/traffic/rate.ts"
import {
  activeRules,
  isAbout,
  type Limit,
  mostRules,
  type Rule,
  type Rules,
  type Subject,
  storedRules,
  type Traffic,
  trafficOf,
  withoutRule,
  withRule
} from "../../domain/traffic/rules.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import { EventStreamsError, Other } from "../../services/EventStreamsError.ts"
import { audit } from "../redis/audit.ts"

/** Whose rules: a group's, which lie beside a stream. */
export interface Controlled {
  readonly streams: EventStreams["Service"]
  readonly stream: string
  readonly group: string
}

/** Who wants it, and why. */
export interface Wish {
  readonly by: string
  readonly why?: string | undefined
  /** Without it a rule holds until it is lifted. */
  readonly duration?: Duration.Duration | undefined
}

/** What a rule does. */
export type Setting =
  | { readonly kind: "pause" }
  | { readonly kind: "limit"; readonly rate: Limit["rate"] }
  | ({ readonly kind: "park" } & NamedPartition)

/** So many rules stand already that no more can be set. */
export class TooManyRules extends Schema.TaggedError<TooManyRules>()("TooManyRules", {}) {
  override get message(): string {
    return `${mostRules} rules are set already, which is the most there may be: lift some first`
  }
}

/** What a change came to. */
export interface Changed {
  /** The rules in force now. */
  readonly rules: Rules
  /** The rule that was set, or those that were lifted. */
  readonly touched: Rules
  /** Why what stood there before could not be read: the change replaced it. */
  readonly replaced: string | undefined
  /** Why the audit does not have it. */
  readonly unaudited: EventStreamsError | undefined
}

/** Others may change the rules meanwhile; they do not do so a hundred times in a row. */
const mostTries = 100

const auditTarget = (rule: Setting | Subject): string | undefined => {
  if (rule.kind === "park") return `${rule.field}=${rule.value}`
  return rule.kind === "limit" ? ("rate" in rule ? shownRate(rule.rate) : "off") : undefined
}

const none: Traffic = { rules: [], probeAt: undefined }

/** Reads, changes and puts back, again where another was quicker. */
const change = Effect.fnUntraced(function* (
  { group, stream, streams }: Controlled,
  make: (rules: Rules, now: number) => Rules | undefined,
  asksProbe = false
): Effect.fn.Return<
  { readonly before: Rules; readonly after: Rules; readonly now: number; readonly replaced: string | undefined },
  EventStreamsError | TooManyRules
> {
  for (let tries = 0; tries < mostTries; tries++) {
    const stored = yield* streams.rules(stream, group)
    const read = trafficOf(stored)
    const { probeAt, rules: before } = Result.getOrElse(read, () => none)
    const now = yield* Clock.currentTimeMillis
    const after = make(before, now)
    const replaced = Result.isFailure(read) ? read.failure : undefined
    if (after === undefined) return { before, after: before, now, replaced: undefined }
    if (after.length > mostRules) return yield* new TooManyRules()
    // Two that ask within one millisecond ask twice.
    const asked = asksProbe ? Math.max(now, (probeAt ?? 0) + 1) : probeAt
    if (yield* streams.swapRules(stream, group, stored, storedRules(after, asked)))
      return { before, after, now, replaced }
  }
  return yield* new EventStreamsError({
    reason: new Other({ message: "Others change the traffic rules all the time: nothing was changed" })
  })
})

/** Sets a rule in the place of the one about the same, if there is one. */
export const setRule = Effect.fnUntraced(function* (controlled: Controlled, setting: Setting, wish: Wish) {
  const { by, duration, why } = wish
  const at = yield* Clock.currentTimeMillis
  const rule: Rule = {
    ...setting,
    at,
    by,
    ...(why === undefined ? {} : { why }),
    ...(duration === undefined ? {} : { until: at + Math.ceil(Duration.toMillis(duration)) })
  }
  const { after, now, replaced } = yield* change(controlled, (rules, now) => withRule(rules, rule, now))
  const unaudited = yield* audit(controlled.streams, controlled.stream, {
    at,
    who: by,
    action: setting.kind,
    target: auditTarget(setting),
    why
  })
  return { rules: activeRules(after, now), set: rule, touched: [rule], replaced, unaudited } satisfies Changed & {
    readonly set: Rule
  }
})

const lifting = { pause: "resume", limit: "limit", park: "unpark" } as const

/** Lifts the rule about a subject; where there is none nothing changes. */
export const liftRule = Effect.fnUntraced(function* (controlled: Controlled, subject: Subject, { by, why }: Wish) {
  const { after, before, now, replaced } = yield* change(controlled, (rules, now) =>
    activeRules(rules, now).some((rule) => isAbout(rule, subject)) ? withoutRule(rules, subject, now) : undefined
  )
  const touched = activeRules(before, now).filter((rule) => isAbout(rule, subject))
  const unaudited =
    touched.length === 0
      ? undefined
      : yield* audit(controlled.streams, controlled.stream, {
          at: now,
          who: by,
          action: lifting[subject.kind],
          target: auditTarget(subject),
          why
        })
  return { rules: activeRules(after, now), touched, replaced, unaudited } satisfies Changed
})

/** Asks every replica to probe at once what has an open circuit, the API and partitions: no rule changes. */
export const askProbe = Effect.fnUntraced(function* (controlled: Controlled, { by, why }: Wish) {
  const { after, now, replaced } = yield* change(controlled, (rules, now) => activeRules(rules, now), true)
  const unaudited = yield* audit(controlled.streams, controlled.stream, { at: now, who: by, action: "probe", why })
  return { rules: after, touched: [], replaced, unaudited } satisfies Changed
})

/** The rules in force, and why those that stand there cannot be read. */
export const currentRules = Effect.fnUntraced(function* ({ group, stream, streams }: Controlled) {
  const read = trafficOf(yield* streams.rules(stream, group))
  const now = yield* Clock.currentTimeMillis
  return {
    rules: activeRules(Result.getOrElse(read, () => none).rules, now),
    unreadable: Result.isFailure(read) ? read.failure : undefined
  }
})
