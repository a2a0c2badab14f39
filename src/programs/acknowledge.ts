/** Acknowledgements of one stream that come due together go to Redis as one command. */
import { Effect } from "effect"
import type { Consumer, EventStreams } from "../services/EventStreams.ts"
import type { RedisError } from "../services/Redis.ts"
import { untilDone } from "./persist.ts"
import { isDlq, type Lane } from "./state/lanes.ts"
import type { Link } from "./state/link.ts"
import type { Task } from "./state/task.ts"

interface Waiting {
  readonly id: string
  readonly done: () => void
}

/** What waits to be acknowledged in one lane. */
interface Batch {
  readonly waiting: Array<Waiting>
  flushing: boolean
  /** Sends what waits, and what comes to wait meanwhile: made once, run for every flush. */
  readonly flush: Effect.Effect<void>
}

/** One command's worth of ids; a longer backlog goes in several. */
const mostIds = 512

export const makeAcknowledge = (context: {
  readonly streams: EventStreams["Service"]
  readonly consumer: Consumer
  readonly link: Link
  readonly fork: (effect: Effect.Effect<void>) => unknown
}): ((task: Task) => Effect.Effect<void>) => {
  const batches = new Map<Lane, Batch>()
  const { consumer, fork, link, streams } = context

  const send = (lane: Lane, ids: ReadonlyArray<string>): Effect.Effect<number, RedisError> =>
    isDlq(lane) ? streams.finish(lane.key, consumer.group, ids) : streams.acknowledge(lane.key, consumer.group, ids)

  const makeBatch = (lane: Lane): Batch => {
    const waiting: Array<Waiting> = []
    const flush = Effect.gen(function* () {
      while (waiting.length > 0) {
        const now = waiting.splice(0, mostIds)
        const ids = now.map(({ id }) => id)
        yield* untilDone(link, "acknowledge", send(lane, ids))
        for (const { done } of now) done()
      }
      // In the same step as the look above: who comes between the two would wait for a flush that is over.
      batch.flushing = false
    }).pipe(
      Effect.onInterrupt(() =>
        Effect.sync(() => {
          batch.flushing = false
        })
      )
    )
    const batch: Batch = { waiting, flushing: false, flush }
    return batch
  }

  const batchOf = (lane: Lane): Batch => {
    const known = batches.get(lane)
    if (known !== undefined) return known
    const made = makeBatch(lane)
    batches.set(lane, made)
    return made
  }

  return (task) =>
    Effect.callback<void>((resume) => {
      const batch = batchOf(task.lane)
      batch.waiting.push({ id: task.id, done: () => resume(Effect.void) })
      if (batch.flushing) return
      batch.flushing = true
      fork(batch.flush)
    })
}
