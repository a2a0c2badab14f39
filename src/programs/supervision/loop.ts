/** How a loop runs, and gives its signs of life: the supervisor hands it a pulse, what is here makes it beat. */
import { Clock, Context, Effect } from "effect"
import { monotonicMillisOf } from "../redis/monotonic.ts"
import type { Pulse } from "./heartbeats.ts"

/** The pulse of the loop that runs in this fiber; what runs in none leaves no sign. */
export const CurrentPulse = Context.Reference<Pulse>("job-collector/CurrentPulse", {
  defaultValue: () => ({ beat: () => {}, rest: () => {} })
})

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
