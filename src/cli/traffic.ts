/** `job-collector pause`, `resume`, `limit`, `park`, `unpark` and `rules`: the traffic of every replica (contract section 6). */
import { type Duration, Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { instant } from "../domain/events/instant.ts"
import { printable } from "../domain/text/printable.ts"
import { type NamedPartition, namedPartition } from "../domain/traffic/namedPartition.ts"
import { rateOf, rateRule, shownRate } from "../domain/traffic/rate.ts"
import { ruleName } from "../domain/traffic/rules.ts"
import { type HeldBack, heldBack } from "../programs/operator/heldBack.ts"
import { heldValue, ruleValue } from "../programs/operator/ruleValue.ts"
import {
  askProbe,
  type Changed,
  type Controlled,
  currentRules,
  liftRule,
  type Setting,
  setRule,
  type Wish
} from "../programs/traffic/controlTraffic.ts"
import { type AuditFlags, auditFlags, firstStream, sayUnaudited, whoOf } from "./audited.ts"
import { DurationArgument, json } from "./flags.ts"
import { Misused, type Operated, operating } from "./operator.ts"
import { counted, plural, printAside, printJson, printLine, printRow } from "./output.ts"

const flags = { ...auditFlags, json }

interface Flags extends AuditFlags {
  readonly json: boolean
}

const controlledOf = ({ group, sets, streams }: Operated): Controlled => ({
  streams,
  stream: firstStream({ sets }),
  group
})

/** Changes the rules and says what came of it: `line` for people, all of it as JSON. */
const changing = <E>(
  given: Flags & { readonly duration?: Duration.Duration | undefined },
  change: (controlled: Controlled, wish: Wish) => Effect.Effect<Changed, E>,
  line: (changed: Changed) => string
) =>
  operating(
    Effect.fnUntraced(function* (operated) {
      const wish = { by: yield* whoOf(given.as), why: given.why, duration: given.duration }
      const changed = yield* change(controlledOf(operated), wish)
      const { replaced, rules, touched, unaudited } = changed
      if (replaced !== undefined) {
        yield* printAside(`warning: the rules that stood there could not be read and were replaced: ${replaced}`)
      }
      yield* sayUnaudited(unaudited)
      if (given.json) return yield* printJson({ changed: touched.map(ruleValue), rules: rules.map(ruleValue) }, 2)
      yield* printLine(line(changed))
      const others = rules.filter((rule) => !touched.includes(rule)).map(ruleName)
      if (others.length > 0)
        yield* printLine(`${plural(others.length, "other rule")} in force; see: job-collector rules`)
    })
  )

const ends = ({ touched: [rule] }: Changed, lifted: string): string =>
  rule?.until === undefined
    ? `until somebody runs: job-collector ${lifted}`
    : `until ${instant(rule.until)}; to end this before: job-collector ${lifted}`

const setting = (given: Parameters<typeof changing>[0], rule: Setting, line: (changed: Changed) => string) =>
  changing(given, (controlled, wish) => setRule(controlled, rule, wish), line)

const duration = DurationArgument("duration", 'How long, such as 10m or "10 minutes"; without it, until lifted').pipe(
  Argument.optional,
  Argument.map(Option.getOrUndefined)
)

export const pause = Command.make("pause", { duration, ...flags }, (given) =>
  setting(given, { kind: "pause" }, (changed) => `deliveries are paused ${ends(changed, "resume")}`)
)

export const resume = Command.make("resume", flags, (given) =>
  changing(
    given,
    (controlled, wish) => liftRule(controlled, { kind: "pause" }, wish),
    ({ touched }) => (touched.length === 0 ? "deliveries were not paused" : "deliveries go on")
  )
)

export const probe = Command.make("probe", flags, (given) =>
  changing(given, askProbe, () => "every replica probes within two seconds what has an open circuit")
)

/** A rate, or undefined for `off`. */
const rate = Argument.String("rate").pipe(
  Argument.filterMap(
    (text) => {
      const found = rateOf(text)
      return text === "off" || found !== undefined ? Option.some(found) : Option.none()
    },
    () => `off, or ${rateRule} (in quotes)`
  ),
  Argument.withDescription('How many requests, such as "200 per second", of all replicas together; off ends the limit')
)

export const limit = Command.make(
  "limit",
  { rate, duration, ...flags },
  Effect.fnUntraced(function* (given) {
    const { rate } = given
    if (rate !== undefined) {
      return yield* setting(
        given,
        { kind: "limit", rate },
        (changed) => `deliveries are limited to ${shownRate(rate)} ${ends(changed, "limit off")}`
      )
    }
    if (given.duration !== undefined) {
      return yield* new Misused({ problem: "limit off ends the limit at once: it takes no duration" })
    }
    return yield* changing(
      given,
      (controlled, wish) => liftRule(controlled, { kind: "limit" }, wish),
      ({ touched }) => (touched.length === 0 ? "no limit was set" : "deliveries are no longer limited")
    )
  })
)

const partition = Argument.String("partition").pipe(
  Argument.withDescription("Whose events: <field>=<value>, such as user_id=u-1 or model=gpt-4o")
)

const named = (text: string): Effect.Effect<NamedPartition, Misused> => {
  const read = namedPartition(text)
  return "problem" in read
    ? Effect.fail(new Misused({ problem: `${printable(text)}: ${printable(read.problem)}` }))
    : Effect.succeed(read)
}

export const park = Command.make(
  "park",
  { partition, duration, ...flags },
  Effect.fnUntraced(function* (given) {
    const parked = yield* named(given.partition)
    const name = `${parked.field}=${parked.value}`
    return yield* setting(
      given,
      { kind: "park", ...parked },
      (changed) => `events of ${name} are parked ${ends(changed, `unpark ${name}`)}`
    )
  })
)

export const unpark = Command.make(
  "unpark",
  { partition, ...flags },
  Effect.fnUntraced(function* (given) {
    const parked = yield* named(given.partition)
    const name = `${parked.field}=${parked.value}`
    const lift = Effect.fnUntraced(function* (controlled: Controlled, wish: Wish) {
      const changed = yield* liftRule(controlled, { kind: "park", ...parked }, wish)
      if (changed.touched.length > 0) return changed
      return yield* new Misused({ problem: `${printable(name)} is not parked; see: job-collector rules` })
    })
    return yield* changing(given, lift, () => `events of ${name} go on`)
  })
)

/** So many entries of the DLQ are looked at for what is parked. */
const mostLookedAt = 100_000

const rowOf = ({ count, isMore, rule }: HeldBack): string =>
  `${ruleName(rule)}  ${rule.until === undefined ? "until it is lifted" : `until ${instant(rule.until)}`}  ` +
  (count === undefined ? "" : `holds back ${isMore ? "at least " : ""}${plural(count, "event")}  `) +
  `set ${instant(rule.at)} by ${rule.by}${rule.why === undefined ? "" : `: ${rule.why}`}`

export const rules = Command.make("rules", { json }, (given) =>
  operating(
    Effect.fnUntraced(function* (operated) {
      const { rules, unreadable } = yield* currentRules(controlledOf(operated))
      if (unreadable !== undefined) {
        return yield* new Misused({
          problem: `the rules cannot be read, and replicas keep to those they knew before: ${printable(unreadable)}`
        })
      }
      const held = yield* heldBack({ observed: controlledOf(operated), sets: operated.sets }, rules, mostLookedAt)
      if (given.json) {
        return yield* Effect.forEach(held.rules, (rule) => printJson(heldValue(rule)), { discard: true })
      }
      if (rules.length === 0) return yield* printLine("no rule is set")
      yield* Effect.forEach(held.rules, (rule) => printRow(rowOf(rule)), { discard: true })
      if (held.rules.some(({ isMore }) => isMore))
        yield* printLine(`looked at the latest ${counted(held.looked)} entries of the DLQ for what is parked`)
    })
  )
)
