/** The consumer name's lease: two processes under one name would settle each other's entries. */
import { Effect, Random, Schema, type Scope } from "effect"
import type { Consumer, EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { ChangeSignal } from "../redis/changeSignal.ts"
import { monotonicMillis } from "../redis/monotonic.ts"
import type { RedisAvailability } from "../redis/redisAvailability.ts"
import { retryUntilDone, retryUntilDoneOrRefused } from "../redis/retryRedis.ts"
import { repeatSteps, sleepToBeat, step } from "../supervision/loop.ts"
import { problemOf } from "../supervision/supervise.ts"
import type { LeaseState, RunIdentity, RunRedis } from "./state/collectorRun.ts"
import type { ConsumedStream } from "./state/consumedStream.ts"

export const loopName = "lease"

/** A lease lapses this long after its last renewal, in milliseconds. */
export const leaseTtlMs = 5_000

/** How long Redis may take over what a stop asks of it, so that a Redis that is away does not hold up the end. */
export const stopPatience = "3 seconds"

const renewEveryMs = 2_000
const retryEveryMs = 250

/** Another process uses this consumer's name: the run must begin anew under a name of its own. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", { name: Schema.String }) {
  override get message(): string {
    return `The consumer name ${this.name} is used by another process.`
  }
}

interface Held {
  readonly consumer: Consumer
  readonly lease: LeaseState
}

const newToken: Effect.Effect<string> = Effect.map(Effect.all([Random.next, Random.next]), (parts) =>
  parts.map((part) => part.toString(36).slice(2)).join("")
)

/** Gives a name up, so that the next to want it need not wait until the lease lapses. */
const giveUp = Effect.fnUntraced(
  function* (streams: EventStreams["Service"], key: string, consumer: Consumer, token: string) {
    yield* Effect.timeout(streams.releaseLease(key, consumer, token), stopPatience)
  },
  (releasing, _streams, _key, { name }) =>
    Effect.catchCause(releasing, (cause) =>
      Effect.logWarning("lease.not_released").pipe(
        Effect.annotateLogs({ consumer: name, problem: problemOf(cause), lapses_in_ms: leaseTtlMs })
      )
    )
)

/**
 * Takes a name for as long as the scope lasts: the wanted one, for which it waits as long as a lease lasts (its last holder may have crashed), else
 * `<name>-2`, `<name>-3`, … Fails only where Redis refuses this user.
 */
export const acquire = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  availability: RedisAvailability,
  key: string,
  wanted: Consumer
): Effect.fn.Return<Held, EventStreamsError, Scope.Scope> {
  const token = yield* newToken
  /** Whom Redis may have given the name that was asked for last, whether or not its answer was heard. */
  let mayHold: Consumer | undefined
  yield* Effect.addFinalizer(() => (mayHold === undefined ? Effect.void : giveUp(streams, key, mayHold, token)))
  const tryName = Effect.fnUntraced(function* (name: string): Effect.fn.Return<Held | undefined, EventStreamsError> {
    const consumer = { group: wanted.group, name }
    const asked = yield* monotonicMillis
    mayHold = consumer
    const got = yield* retryUntilDoneOrRefused(
      availability,
      loopName,
      streams.renewLease(key, consumer, token, leaseTtlMs)
    )
    if (got) return { consumer, lease: { token, changed: new ChangeSignal(), validUntil: asked + leaseTtlMs } }
    mayHold = undefined
    return undefined
  })
  const deadline = (yield* monotonicMillis) + leaseTtlMs + retryEveryMs
  for (;;) {
    const held = yield* tryName(wanted.name)
    if (held !== undefined) return held
    if ((yield* monotonicMillis) >= deadline) break
    yield* Effect.sleep(retryEveryMs)
  }
  for (let n = 2; ; n++) {
    const held = yield* tryName(`${wanted.name}-${n}`)
    if (held === undefined) continue
    yield* Effect.logWarning("consumer.name_in_use").pipe(
      Effect.annotateLogs({ wanted: wanted.name, used: held.consumer.name })
    )
    return held
  }
})

/** The stream whose slot the lease lives in. */
export const leaseStream = (consumedStreams: ReadonlyArray<ConsumedStream>): string =>
  consumedStreams[0]?.beside ?? consumedStreams[0]?.key ?? ""

/** Renews the lease; fails when another process has taken the name. */
export const keepLease = (run: RunIdentity & RunRedis): Effect.Effect<never, LeaseLost> =>
  Effect.suspend(() => {
    const { consumer, lease, availability, streams } = run
    const renewal = Effect.gen(function* () {
      const asked = yield* monotonicMillis
      const ours = yield* streams.renewLease(leaseStream(run.consumedStreams), consumer, lease.token, leaseTtlMs)
      return { asked, ours }
    })
    const renewed = retryUntilDone(availability, loopName, step(renewal))
    const renew = Effect.gen(function* () {
      const { asked, ours } = yield* renewed
      if (!ours) return yield* new LeaseLost({ name: consumer.name })
      yield* availability.succeeded
      lease.validUntil = asked + leaseTtlMs
      lease.changed.notify()
      yield* sleepToBeat(renewEveryMs)
    })
    return repeatSteps(renew)
  })
