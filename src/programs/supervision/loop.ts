/** How a loop runs, and gives its signs of life: the supervisor hands it a pulse, what is here makes it beat. */
import { Clock, Context, Effect } from "effect"
import { monotonicMillisOf } from "../redis/monotonic.ts"
import type { Pulse } from "./heartbeats.ts"

/** The pulse of the loop that runs in this fiber; what runs in none leaves no sign. */
export const CurrentPulse = Context.Reference<Pulse>("job-collector/CurrentPulse", {
  defaultValue: () => ({ beat: () => {}, rest: () => {} })
})

/**
 * When the loops of a collector began to keep step, by the monotonic clock. Loops that wake together send their commands in
 * one write and find the code and data that they share in the processor's caches: an idle process spends half as much.
 */
export const RhythmBegan = Context.Reference<number>("job-collector/RhythmBegan", { defaultValue: () => 0 })

/** A beat so near is taken for the one that just was: a timer may be early by as much as its process was busy. */
const nearMs = 50

/** When a loop that does something every so often does it next, by the monotonic clock: with all others that are due then. */
export const nextBeat = (everyMs: number): Effect.Effect<number> =>
  Effect.withFiber((fiber) => {
    const began = fiber.getRef(RhythmBegan)
    const since = monotonicMillisOf(fiber.getRef(Clock.Clock)) - began + Math.min(nearMs, everyMs / 4)
    return Effect.succeed(began + (Math.floor(since / everyMs) + 1) * everyMs)
  })

/** Sleeps until the {@link nextBeat}, or a time that comes before it. */
export const sleepToBeat = (everyMs: number, before = Number.POSITIVE_INFINITY): Effect.Effect<void> =>
  Effect.flatMap(nextBeat(everyMs), (beat) =>
    Effect.clockWith((clock) => Effect.sleep(Math.max(0, Math.min(beat, before) - monotonicMillisOf(clock))))
  )

/** A step of a loop: bounded, within two minutes or within twice `longestMs` where that is longer. */
export const step = <A, E, R>(work: Effect.Effect<A, E, R>, longestMs = 0): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(CurrentPulse).beat(monotonicMillisOf(fiber.getRef(Clock.Clock)), longestMs)
    return work
  })

/** A wait within a step that may take any time: for work, for a permit, for the next round. */
export const waiting = <A, E, R>(wait: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(CurrentPulse).rest()
    return Effect.flatMap(wait, (result) => step(Effect.succeed(result)))
  })

/** Does steps one after the other, again and again. (Effect.fnUntraced would not infer the steps' types.) */
export const repeatSteps = <E, R>(...steps: ReadonlyArray<Effect.Effect<unknown, E, R>>): Effect.Effect<never, E, R> =>
  Effect.gen(function* () {
    const each = steps.map((work) => step(work))
    for (;;) for (const next of each) yield* next
  })
