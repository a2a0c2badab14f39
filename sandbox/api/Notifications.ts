import { Context, Effect, Layer, Queue, type Scope } from "effect"

/**
 * Who is told of a user's new jobs. In this process only: with several API processes, PostgreSQL's LISTEN/NOTIFY would
 * stand here.
 */
export class Notifications extends Context.Service<
  Notifications,
  {
    /** Tells all of a user's listeners of a committed job, in the order of commits. */
    readonly jobCreated: (userId: string, jobId: number) => void
    /** The ids of the user's jobs from now on. */
    readonly listen: (userId: string) => Effect.Effect<Queue.Dequeue<number>, never, Scope.Scope>
    /** How many listen. */
    readonly listeners: () => number
  }
>()("sandbox/api/Notifications") {
  static readonly layer = Layer.sync(Notifications, () => {
    const byUser = new Map<string, Set<Queue.Queue<number>>>()
    return Notifications.of({
      jobCreated: (userId, jobId) => {
        for (const queue of byUser.get(userId) ?? []) Queue.offerUnsafe(queue, jobId)
      },
      listen: (userId) =>
        Effect.acquireRelease(
          Effect.map(Queue.unbounded<number>(), (queue) => {
            const queues = byUser.get(userId) ?? new Set()
            byUser.set(userId, queues.add(queue))
            return queue
          }),
          (queue) =>
            Effect.suspend(() => {
              const queues = byUser.get(userId)
              queues?.delete(queue)
              if (queues?.size === 0) byUser.delete(userId)
              return Queue.shutdown(queue)
            })
        ),
      listeners: () => [...byUser.values()].reduce((n, queues) => n + queues.size, 0)
    })
  })
}
