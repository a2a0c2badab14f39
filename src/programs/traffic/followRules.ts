/** Follows the traffic rules that stand in Redis, so that every replica obeys them within two seconds. */
import { Clock, Effect, Result } from "effect"
import { instant } from "../../domain/events/instant.ts"
import { blanked, cut } from "../../domain/text/printable.ts"
import { ruleName, type Traffic, trafficOf } from "../../domain/traffic/rules.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { DeliveryGate } from "../delivery/state/deliveryGate.ts"
import type { Happenings } from "../delivery/state/happenings.ts"
import type { ObeyedRule, TrafficRules } from "../delivery/state/trafficRules.ts"
import { monotonicMillisOf } from "../redis/monotonic.ts"
import type { RedisAvailability } from "../redis/redisAvailability.ts"
import { noteFailure, retryUntilAnswered } from "../redis/retryRedis.ts"
import { repeatSteps, sleepToBeat, waiting } from "../supervision/loop.ts"

export const loopName = "traffic"

const readEveryMs = 1_000

export interface FollowedRules {
  readonly streams: EventStreams["Service"]
  readonly availability: RedisAvailability
  /** Beside which the rules' key lies, and whose rules they are. */
  readonly stream: string
  readonly group: string
  readonly traffic: TrafficRules
  readonly gate: Pick<DeliveryGate, "probeNow">
  readonly happenings: Happenings
}

const said = ({ rule }: ObeyedRule) => ({
  rule: ruleName(rule),
  by: rule.by,
  ...(rule.until === undefined ? {} : { until: instant(rule.until) }),
  ...(rule.why === undefined ? {} : { why: rule.why })
})

/** The first read, which goes before anything is delivered, and the loop that goes on from there. */
export const makeFollower = ({
  availability,
  gate,
  group,
  happenings,
  stream,
  streams,
  traffic
}: FollowedRules): { readonly first: Effect.Effect<void>; readonly loop: Effect.Effect<never> } => {
  /** What was read last and could be. */
  let good: Traffic = { rules: [], probeAt: undefined }
  /** What was last read of askings for a probe; nothing before the first read. */
  let asked: { readonly probeAt: number | undefined } | undefined
  /** What is wrong with what stands there now. */
  let problem: string | undefined

  const noteProblem = Effect.fnUntraced(function* (found: string | undefined) {
    if (found === problem) return
    problem = found
    if (found === undefined) return
    yield* Effect.logError("rules.unreadable").pipe(
      Effect.annotateLogs({ problem: found, remedy: "the rules known before still hold; set one anew to replace it" })
    )
  })

  const take = Effect.fnUntraced(function* (stored: string | undefined) {
    const read = trafficOf(stored)
    if (Result.isSuccess(read)) good = read.success
    yield* noteProblem(Result.isFailure(read) ? cut(blanked(read.failure), 300) : undefined)
  })

  const read: Effect.Effect<void, EventStreamsError> = Effect.flatMap(streams.rules(stream, group), take).pipe(
    Effect.catchReason("EventStreamsError", "WrongType", ({ message }) => noteProblem(message))
  )

  const obey = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = monotonicMillisOf(clock)
    const at = clock.currentTimeMillisUnsafe()
    const { probeAt } = good
    const isAsked = asked !== undefined && probeAt !== undefined && probeAt !== asked.probeAt
    asked = { probeAt }
    if (isAsked && gate.probeNow(now)) yield* Effect.logInfo("probe.asked")
    const { ended, set } = traffic.update(good.rules, at, now)
    for (const rule of set) {
      if (happenings.isFollowed) happenings.tell({ _tag: "RuleSet", at, rule: rule.rule })
      yield* Effect.annotateLogs(Effect.logInfo("rule.set"), said(rule))
    }
    for (const rule of ended) {
      const why = now < rule.ends ? "lifted" : "expired"
      if (happenings.isFollowed) happenings.tell({ _tag: "RuleEnded", at, rule: rule.rule, ended: why })
      yield* Effect.annotateLogs(Effect.logInfo("rule.ended"), { ...said(rule), ended: why })
    }
  })

  const rest = Effect.andThen(obey, waiting(Effect.suspend(() => sleepToBeat(readEveryMs, traffic.nextEnd))))

  const failed = (error: EventStreamsError) => noteFailure(availability, loopName, error)

  return {
    first: retryUntilAnswered(availability, loopName, read).pipe(Effect.catch(failed), Effect.andThen(obey)),
    loop: repeatSteps(Effect.catch(read, failed), rest)
  }
}
