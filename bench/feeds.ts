/** How events get to a variant: prepared beforehand, let go all at once. */
import { Queue } from "bullmq"
import { Redis } from "ioredis"
import { eventFields } from "./events.ts"

export interface Feed {
  /** Puts events where the variant does not see them yet. */
  readonly prepare: (count: number) => Promise<void>
  /** Shows the variant that many of them. */
  readonly release: (count: number) => Promise<void>
  /** Whether nothing is waiting or under way any more. */
  readonly isSettled: () => Promise<boolean>
  /** Takes what was handled out of Redis. */
  readonly tidy: () => Promise<void>
  readonly close: () => Promise<void>
}

const CHUNK = 1_000

const inChunks = async (count: number, put: (first: number, length: number) => Promise<unknown>) => {
  for (let first = 0; first < count; first += CHUNK) await put(first, Math.min(CHUNK, count - first))
}

// Within Redis, so that the events are there before the variant reads the first of them.
const RELEASE = `
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do
  redis.call('XADD', KEYS[2], '*', unpack(entry[2]))
  redis.call('XDEL', KEYS[1], entry[1])
end
`

export const streamFeed = async (port: number, stream: string, group: string): Promise<Feed> => {
  const redis = new Redis(port)
  const hidden = `${stream}:hidden`
  let next = 0
  await redis.flushall()
  await redis.xgroup("CREATE", stream, group, "$", "MKSTREAM")
  return {
    prepare: (count) =>
      inChunks(count, (_, length) => {
        const pipeline = redis.pipeline()
        const now = Date.now()
        for (let i = 0; i < length; i++) pipeline.xadd(hidden, "*", ...Object.entries(eventFields(next++, now)).flat())
        return pipeline.exec()
      }),
    release: async (count) => {
      await redis.eval(RELEASE, 2, hidden, stream, count)
    },
    isSettled: async () => {
      const [pending] = (await redis.xpending(stream, group)) as [number]
      return pending === 0
    },
    tidy: async () => {
      await redis.xtrim(stream, "MAXLEN", 0)
    },
    close: async () => {
      redis.disconnect()
    }
  }
}

export const bullmqFeed = async (port: number, name: string): Promise<Feed> => {
  const redis = new Redis(port)
  await redis.flushall()
  redis.disconnect()
  const queue = new Queue(name, { connection: { host: "127.0.0.1", port } })
  let next = 0
  return {
    // A queue has no place to prepare in; it is paused instead, and all that is prepared is released.
    prepare: async (count) => {
      await queue.pause()
      await inChunks(count, (_, length) => {
        const now = Date.now()
        return queue.addBulk(Array.from({ length }, () => ({ name: "event", data: eventFields(next++, now) })))
      })
    },
    release: () => queue.resume(),
    isSettled: async () => {
      const counts = await queue.getJobCounts("active", "wait", "prioritized")
      return Object.values(counts).every((count) => count === 0)
    },
    tidy: async () => {},
    close: () => queue.close()
  }
}
