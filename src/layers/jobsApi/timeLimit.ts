import { Clock, Duration, Effect, Exit, Fiber, type Scope } from "effect"

interface Running<A> {
  /** When its time is over, by the clock's monotonic nanoseconds. */
  readonly ends: bigint
  readonly fiber: Fiber.Fiber<A>
  late: boolean
}

/** Runs an effect; when its time is over, interrupts it and gives `late` instead. */
export type Within = <A>(effect: Effect.Effect<A>, late: A) => Effect.Effect<A>

/**
 * One time limit for many effects, by the ambient `Clock`. `Effect.timeout` makes two fibers and a timer each time; with
 * one limit for all, who began first is due first, so that a single fiber, asleep until the oldest is due, watches all.
 */
export const makeTimeLimit = Effect.fnUntraced(function* (
  limit: Duration.Duration
): Effect.fn.Return<Within, never, Scope.Scope> {
  const limitNanos = BigInt(Math.ceil(Duration.toMillis(limit) * 1_000_000))
  // A Set keeps the order of insertion: the first is due first.
  const underWay = new Set<Running<unknown>>()
  let watched = false
  let watcher: Fiber.Fiber<void> | undefined

  const watch = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    for (;;) {
      const [oldest] = underWay
      if (oldest === undefined) break
      const left = oldest.ends - clock.monotonicTimeNanosUnsafe()
      if (left > 0n) {
        yield* clock.sleep(Duration.nanos(left))
        continue
      }
      underWay.delete(oldest)
      oldest.late = true
      oldest.fiber.interruptUnsafe()
    }
    watched = false
  })

  yield* Effect.addFinalizer(() => (watcher === undefined ? Effect.void : Fiber.interrupt(watcher)))

  return <A>(effect: Effect.Effect<A>, late: A) =>
    Effect.withFiber<A>((caller) =>
      Effect.callback((resume) => {
        const run = Effect.runForkWith(caller.context)
        const ends = caller.getRef(Clock.Clock).monotonicTimeNanosUnsafe() + limitNanos
        const running: Running<A> = { ends, fiber: run(effect), late: false }
        underWay.add(running)
        running.fiber.addObserver((exit) => {
          underWay.delete(running)
          resume(running.late && Exit.isFailure(exit) ? Effect.succeed(late) : exit)
        })
        if (underWay.size > 0 && !watched) {
          watched = true
          watcher = run(watch)
        }
        return Fiber.interrupt(running.fiber)
      })
    )
})
