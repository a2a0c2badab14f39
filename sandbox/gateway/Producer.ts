import { Clock, Context, Effect, Fiber, Layer, Queue, Schedule } from "effect"
import { Redis, type RedisError } from "../../src/services/Redis.ts"
import { eventOf } from "./events.ts"

/** What was produced so far. */
export interface Produced {
  /** Different events. */
  readonly events: number
  /** Entries in the streams; more than events, since some are added twice. */
  readonly entries: number
  /** Whether an order is being worked on. */
  readonly busy: boolean
}

/** An order for events. */
export interface Order {
  readonly count: number
  /** Events a second. */
  readonly rate: number
}

export interface ProducerOptions {
  readonly seed: string
  readonly streams: { readonly transcribe: string; readonly process: string }
}

/** So often events are added that have become due. */
const TICK = "20 millis"

/** Adds events to the streams at a set rate. Events that Redis does not take wait for it: none is left out. */
export class Producer extends Context.Service<
  Producer,
  {
    readonly order: (order: Order) => Effect.Effect<void>
    /** Fails if the producer cannot go on. */
    readonly join: Effect.Effect<never, RedisError>
    readonly produced: () => Produced
  }
>()("sandbox/gateway/Producer") {
  static readonly layer = (options: ProducerOptions) =>
    Layer.effect(
      Producer,
      Effect.gen(function* () {
        const redis = yield* Redis
        const orders = yield* Queue.unbounded<Order>()
        let events = 0
        let entries = 0
        let outstanding = 0

        const add = Effect.fnUntraced(function* (number: number) {
          const event = yield* eventOf(options.seed, number, yield* Clock.currentTimeMillis)
          const xadd = Effect.retry(redis.send("XADD", options.streams[event.kind], "*", ...event.fields), {
            schedule: Schedule.spaced("200 millis")
          })
          for (let copy = 0; copy < (event.twice ? 2 : 1); copy++) {
            yield* xadd
            entries += 1
          }
          events += 1
        })

        const work = Effect.fnUntraced(function* ({ count, rate }: Order) {
          const first = events
          const started = yield* Clock.currentTimeMillis
          let done = 0
          while (done < count) {
            const due = Math.min(count, Math.floor((((yield* Clock.currentTimeMillis) - started) * rate) / 1_000))
            const numbers = Array.from({ length: due - done }, (_, i) => first + done + i)
            yield* Effect.forEach(numbers, add, { concurrency: 32, discard: true })
            done += numbers.length
            outstanding -= numbers.length
            if (done < count) yield* Effect.sleep(TICK)
          }
        })

        const worker = yield* Queue.take(orders).pipe(Effect.flatMap(work), Effect.forever, Effect.forkScoped)

        return Producer.of({
          join: Fiber.join(worker),
          order: (order) =>
            Effect.suspend(() => {
              outstanding += order.count
              return Queue.offer(orders, order)
            }),
          produced: () => ({ events, entries, busy: outstanding > 0 })
        })
      })
    )
}
