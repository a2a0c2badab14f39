/**
 * Milliseconds of a clock that nobody sets, from a start that means nothing: for whatever is waited for or measured within
 * this process. The wall clock (`Clock.currentTimeMillis`) is for what is compared with other machines' times, or shown.
 */
import { type Clock, Effect } from "effect"

export const monotonicMillisOf = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

export const monotonicMillis: Effect.Effect<number> = Effect.clockWith((clock) =>
  Effect.succeed(monotonicMillisOf(clock))
)

/** When the wall clock will have come to a time, as it stands now; a step of it thereafter changes nothing. */
export const monotonicOfWall = (clock: Clock.Clock, wallMillis: number): number =>
  monotonicMillisOf(clock) + wallMillis - clock.currentTimeMillisUnsafe()
