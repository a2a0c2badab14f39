import type { Limit, Park, Rule, RuleKind, Rules } from "../../../domain/traffic/rules.ts"
import { ChangeSignal } from "../../redis/changeSignal.ts"

/** A rule that this process obeys. */
export interface ObeyedRule<R extends Rule = Rule> {
  readonly rule: R
  /** When it ends by the monotonic clock, so that a wall clock that is set shifts no end; infinite where it has none. */
  readonly ends: number
}

/** What an update changed. */
export interface RuleChanges {
  readonly set: ReadonlyArray<ObeyedRule>
  readonly ended: ReadonlyArray<ObeyedRule>
}

/**
 * The traffic rules as this process obeys them: what the follower last read, each until it ends. It outlives runs. Times
 * given to it are the monotonic clock's.
 */
export class TrafficRules {
  /** Notified when a rule is set or lifted, and soon after one has ended. */
  readonly changed = new ChangeSignal()
  /** All that stand in Redis, by their stored form: a rule that is read again keeps its end, and one that has ended stays so. */
  private known = new Map<string, ObeyedRule>()
  private obeyed: ReadonlyArray<ObeyedRule> = []
  private pauses: ReadonlyArray<ObeyedRule> = []
  private limits: ReadonlyArray<ObeyedRule<Limit>> = []
  private parks = new Map<string, Map<string, ObeyedRule<Park>>>()

  /** Takes in the rules as they stand in Redis: what of it is new, and what was lifted or has ended. */
  update(rules: Rules, wallNow: number, now: number): RuleChanges {
    const known = new Map<string, ObeyedRule>()
    for (const rule of rules) {
      const name = JSON.stringify(rule)
      const ends = rule.until === undefined ? Number.POSITIVE_INFINITY : now + rule.until - wallNow
      known.set(name, this.known.get(name) ?? { rule, ends })
    }
    this.known = known
    const obeyed = [...known.values()].filter(({ ends }) => now < ends)
    const set = obeyed.filter((rule) => !this.obeyed.includes(rule))
    const ended = this.obeyed.filter((rule) => !obeyed.includes(rule))
    if (set.length === 0 && ended.length === 0) return { set, ended }
    this.obeyed = obeyed
    this.sort()
    this.changed.notify()
    return { set, ended }
  }

  private sort(): void {
    const pauses: Array<ObeyedRule> = []
    const limits: Array<ObeyedRule<Limit>> = []
    const parks = new Map<string, Map<string, ObeyedRule<Park>>>()
    for (const { ends, rule } of this.obeyed) {
      if (rule.kind === "pause") pauses.push({ rule, ends })
      else if (rule.kind === "limit") limits.push({ rule, ends })
      else {
        const ofField = parks.get(rule.field) ?? new Map<string, ObeyedRule<Park>>()
        parks.set(rule.field, ofField.set(rule.value, { rule, ends }))
      }
    }
    this.pauses = pauses
    this.limits = limits
    this.parks = parks
  }

  /** The rules in force. */
  active(now: number): ReadonlyArray<ObeyedRule> {
    return this.obeyed.filter(({ ends }) => now < ends)
  }

  /** How many of a kind are in force, as of the last update. */
  count(kind: RuleKind): number {
    return this.obeyed.filter(({ rule }) => rule.kind === kind).length
  }

  /** Until when deliveries are paused: infinite for good, in the past where they are not. */
  get pauseEnds(): number {
    return this.pauses.reduce((latest, { ends }) => Math.max(latest, ends), Number.NEGATIVE_INFINITY)
  }

  /** The limit in force, the one set last where there are several. */
  limit(now: number): Limit["rate"] | undefined {
    return this.limits.findLast(({ ends }) => now < ends)?.rule.rate
  }

  /** Whether any partition is parked at all, so that who asks for each event may spare it. */
  get parksAny(): boolean {
    return this.parks.size > 0
  }

  /** The rule that parks a partition. */
  parked(field: string, value: string, now: number): ObeyedRule<Park> | undefined {
    const found = this.parks.get(field)?.get(value)
    return found !== undefined && now < found.ends ? found : undefined
  }

  /** When the next rule ends by itself; undefined where none does. */
  get nextEnd(): number | undefined {
    let next = Number.POSITIVE_INFINITY
    for (const { ends } of this.obeyed) if (ends < next) next = ends
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }
}
