import { Clock, Effect } from "effect"

/** A wall clock that is set now and then; what counts time for waiting goes on as it was. */
export class SetClock {
  /** How far it has been set ahead, in milliseconds; negative: back. */
  offset = 0

  readonly under = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Clock.clockWith((base) => {
      const millis = () => base.currentTimeMillisUnsafe() + this.offset
      const nanos = () => base.currentTimeNanosUnsafe() + BigInt(this.offset) * 1_000_000n
      return Effect.provideService(effect, Clock.Clock, {
        currentTimeMillisUnsafe: millis,
        currentTimeMillis: Effect.sync(millis),
        currentTimeNanosUnsafe: nanos,
        currentTimeNanos: Effect.sync(nanos),
        monotonicTimeNanosUnsafe: () => base.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: base.monotonicTimeNanos,
        sleep: (duration) => base.sleep(duration)
      })
    })
}
