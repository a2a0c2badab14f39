/**
 * Keeps all replicas of a group together to a rate (contract section 6, "Traffic control"): tokens for permits, which this
 * process takes from a bucket in Redis a batch at a time, when somebody waits for one.
 */
import { Effect } from "effect"
import { lowerRate, type Rate } from "../../domain/traffic/rate.ts"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf } from "../redis/monotonic.ts"
import { retryUntilAnswered } from "../redis/retryRedis.ts"
import { repeatSteps, waiting } from "../supervision/loop.ts"
import { leaseStream } from "./lease.ts"
import type { CollectorRun } from "./state/collectorRun.ts"

export const loopName = "rate"

/** How much time's tokens are taken at once, in milliseconds: what a replica that dies has not spent is lost. */
const batchMs = 100
/** How long to wait where Redis refuses to hand out tokens, in milliseconds. */
const refusedMs = 1_000

const batchOf = ({ count, perMs }: Rate): number => Math.max(1, Math.round((count * batchMs) / perMs))

const sameRate = (a: Rate | undefined, b: Rate | undefined): boolean => a?.count === b?.count && a?.perMs === b?.perMs

/** The rate in force: the lower of the setting and the operators' rule. */
const rateAt = ({ options, traffic }: CollectorRun, now: number): Rate | undefined =>
  lowerRate(options.deliveryRate, traffic.limit(now))

/** Has permits need tokens where a rate is in force: before the first one is handed out, too. */
export const needTokens = (run: CollectorRun, now: number): Rate | undefined => {
  const rate = rateAt(run, now)
  run.permits.limit(rate === undefined ? undefined : batchOf(rate))
  return rate
}

export const limitRate = (run: CollectorRun): Effect.Effect<never> => {
  const { availability, consumer, permits, streams, traffic } = run
  const stream = leaseStream(run.consumedStreams)
  const doing = "take tokens"

  /** Adds a batch when it has come in; one of another rate than is in force by then is dropped. */
  const addAt = (startsAt: number, batch: number, rate: Rate): Effect.Effect<void> =>
    Effect.clockWith((clock) => {
      const waiter = new Waiter(traffic.changed)
      const now = monotonicMillisOf(clock)
      if (!sameRate(rateAt(run, now), rate)) return Effect.void
      if (now >= startsAt) return Effect.sync(() => permits.addTokens(batch))
      return Effect.flatMap(waiting(waiter.wait(startsAt)), () => addAt(startsAt, batch, rate))
    })

  const take = Effect.fnUntraced(
    function* (rate: Rate) {
      const batch = batchOf(rate)
      const reserve = streams.reserveTokens(stream, consumer.group, batch, rate)
      const inMs = yield* retryUntilAnswered(availability, doing, reserve)
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
      const rate = needTokens(run, monotonicMillisOf(clock))
      return rate === undefined || !permits.isStarving ? waiting(waiter.wait()) : take(rate)
    })
  )
}
