/**
 * Keeps all replicas of a group together to a rate, in all their requests or those of a kind (contract sections 6 and 9): tokens
 * for permits, which this process takes from a bucket in Redis a batch at a time, when somebody waits for one.
 */
import { Effect } from "effect"
import type { EventKind } from "../../domain/events/eventKind.ts"
import { lowerRate, type Rate } from "../../domain/traffic/rate.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf } from "../redis/monotonic.ts"
import { retryUntilAnswered } from "../redis/retryRedis.ts"
import { repeatSteps, waiting } from "../supervision/loop.ts"
import { leaseStream } from "./lease.ts"
import type { CollectorRun } from "./state/collectorRun.ts"
import type { KindLimit } from "./state/kindLimits.ts"
import type { Permits } from "./state/permits.ts"

export const loopName = "rate"

export const kindLoopName = ({ name }: EventKind): string => `rate:${name}`

/** How much time's tokens are taken at once, in milliseconds: what a replica that dies has not spent is lost. */
const batchMs = 100
/** How long to wait where Redis refuses to hand out tokens, in milliseconds. */
const refusedMs = 1_000

const batchOf = ({ count, perMs }: Rate): number => Math.max(1, Math.round((count * batchMs) / perMs))

const sameRate = (a: Rate | undefined, b: Rate | undefined): boolean => a?.count === b?.count && a?.perMs === b?.perMs

/** What is limited to a rate: whose permits need tokens, and out of which bucket those come. */
interface Limited {
  readonly permits: Permits
  /** The rate in force. */
  readonly rateAt: (now: number) => Rate | undefined
  readonly reserve: (batch: number, rate: Rate) => Effect.Effect<number, EventStreamsError>
  /** What is being done, as health and log say it. */
  readonly doing: string
}

const needTokensOf = ({ permits, rateAt }: Limited, now: number): Rate | undefined => {
  const rate = rateAt(now)
  permits.limit(rate === undefined ? undefined : batchOf(rate))
  return rate
}

/** All deliveries: limited to the lower of the setting and the operators' rule. */
const allOf = ({ consumer, consumedStreams, options, permits, streams, traffic }: CollectorRun): Limited => ({
  permits,
  rateAt: (now) => lowerRate(options.deliveryRate, traffic.limit(now)),
  reserve: (batch, rate) => streams.reserveTokens(leaseStream(consumedStreams), consumer.group, batch, rate),
  doing: "take tokens"
})

/** Those of one kind. */
const kindOf = ({ consumer, streams }: CollectorRun, { kind, permits, rate }: KindLimit): Limited => ({
  permits,
  rateAt: () => rate,
  reserve: (batch, each) => streams.reserveTokens(kind.stream ?? kind.name, consumer.group, batch, each, "kind"),
  doing: `take tokens of ${kind.name}`
})

/** Has permits need tokens where a rate is in force: before the first one is handed out, too. */
export const needTokens = (run: CollectorRun, now: number): void => {
  needTokensOf(allOf(run), now)
  for (const limit of run.kindLimits.values()) needTokensOf(kindOf(run, limit), now)
}

const takeTokens = ({ availability, traffic }: CollectorRun, limited: Limited): Effect.Effect<never> => {
  const { doing, permits, rateAt, reserve } = limited

  /** Adds a batch when it has come in; one of another rate than is in force by then is dropped. */
  const addAt = (startsAt: number, batch: number, rate: Rate): Effect.Effect<void> =>
    Effect.clockWith((clock) => {
      const waiter = new Waiter(traffic.changed)
      const now = monotonicMillisOf(clock)
      if (!sameRate(rateAt(now), rate)) return Effect.void
      if (now >= startsAt) return Effect.sync(() => permits.addTokens(batch))
      return Effect.flatMap(waiting(waiter.wait(startsAt)), () => addAt(startsAt, batch, rate))
    })

  const take = Effect.fnUntraced(
    function* (rate: Rate) {
      const batch = batchOf(rate)
      const inMs = yield* retryUntilAnswered(availability, doing, reserve(batch, rate))
      const now = yield* monotonicMillis
      availability.noteRefusal(doing, undefined, now)
      yield* addAt(now + inMs, batch, rate)
    },
    Effect.catch((error) =>
      Effect.flatMap(monotonicMillis, (now) => {
        availability.noteRefusal(doing, error.message, now)
        return waiting(Effect.sleep(refusedMs))
      })
    )
  )

  return repeatSteps(
    Effect.clockWith((clock) => {
      const waiter = new Waiter(traffic.changed, permits.starved)
      const rate = needTokensOf(limited, monotonicMillisOf(clock))
      return rate === undefined || !permits.isStarving ? waiting(waiter.wait()) : take(rate)
    })
  )
}

export const limitRate = (run: CollectorRun): Effect.Effect<never> => takeTokens(run, allOf(run))

export const limitKindRate = (run: CollectorRun, limit: KindLimit): Effect.Effect<never> =>
  takeTokens(run, kindOf(run, limit))
