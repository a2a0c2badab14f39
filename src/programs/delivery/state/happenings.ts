import { type Cause, Effect, Queue, Stream } from "effect"
import type { Happening } from "../../../domain/delivery/happening.ts"

/** So many happenings are kept for whoever follows and is slow; then the oldest are dropped. */
const mostKept = 1_024

interface Follower {
  readonly queue: Queue.Queue<Happening, Cause.Done>
  /** Dropped since it last took some. */
  missed: number
}

/**
 * Tells whoever follows a collector what happens in it. Nobody waits for a follower: one that is slow misses some, and is told
 * how many. Ask {@link isFollowed} before a happening is made.
 */
export class Happenings {
  private readonly followers = new Set<Follower>()
  private isOver = false

  /** Whether anybody is there to be told. */
  get isFollowed(): boolean {
    return this.followers.size > 0
  }

  tell(happening: Happening): void {
    for (const follower of this.followers) {
      if (Queue.sizeUnsafe(follower.queue) >= mostKept) follower.missed += 1
      Queue.offerUnsafe(follower.queue, happening)
    }
  }

  /** Nothing more will happen: streams end once what was told is taken. */
  end(): void {
    this.isOver = true
    for (const { queue } of this.followers) Queue.endUnsafe(queue)
  }

  private readonly follower = Effect.acquireRelease(
    Effect.map(Queue.sliding<Happening, Cause.Done>(mostKept), (queue) => {
      const follower: Follower = { queue, missed: 0 }
      this.followers.add(follower)
      if (this.isOver) Queue.endUnsafe(queue)
      return follower
    }),
    (follower) => Effect.sync(() => this.followers.delete(follower))
  )

  /** What happens from when it is run on, until the collector has ended. */
  readonly stream: Stream.Stream<Happening> = Stream.unwrap(
    Effect.map(this.follower, (follower) =>
      Stream.fromPull(
        Effect.succeed(
          Effect.map(Queue.takeAll(follower.queue), (taken) => {
            const { missed } = follower
            follower.missed = 0
            return missed === 0 ? taken : [{ _tag: "Missed", count: missed } as const, ...taken]
          })
        )
      )
    )
  )
}
