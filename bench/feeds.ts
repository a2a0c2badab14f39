/** How events get to a variant: prepared beforehand, let go all at once. */
import { Queue } from "bullmq"
import { Redis } from "ioredis"
import { eventFields } from "./events.ts"

export interface Feed {
  /** Puts events where the variant does not see them yet. */
  readonly prepare: (count: number) => Promise<void>
  /** Shows them to the variant. */
  readonly release: () => Promise<void>
  /** Whether nothing is waiting or under way any more. */
  readonly isSettled: () => Promise<boolean>
  /** Takes what was handled out of Redis. */
  readonly tidy: () => Promise<void>
  readonly close: () => Promise<void>
}

const CHUNK = 1_000

export const inChunks = async (count: number, put: (first: number, length: number) => Promise<unknown>) => {
  for (let first = 0; first < count; first += CHUNK) await put(first, Math.min(CHUNK, count - first))
}

// Within Redis, so that the events are there before the variant reads the first of them.
const RELEASE = `
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  redis.call('XADD', KEYS[2], '*', unpack(entry[2]))
  redis.call('XDEL', KEYS[1], entry[1])
end
`

/** Adds events to streams, as a producer writes them. */
const add = (
  redis: Redis,
  streamOf: (n: number) => string,
  first: number,
  length: number,
  fieldsOf: (n: number, now: number) => Readonly<Record<string, string>>
) => {
  const pipeline = redis.pipeline()
  const now = Date.now()
  for (let n = first; n < first + length; n++)
    pipeline.xadd(streamOf(n), "*", ...Object.entries(fieldsOf(n, now)).flat())
  return pipeline.exec()
}

/** Adds events to a stream that may be read already. */
export const addEvents = (
  redis: Redis,
  stream: string,
  count: number,
  fieldsOf: (n: number, now: number) => Readonly<Record<string, string>> = eventFields
): Promise<void> => inChunks(count, (first, length) => add(redis, () => stream, first, length, fieldsOf))

interface StreamFeedOptions {
  /** Of how many users the events are. */
  readonly users?: number
  /** How many entries stay pending besides. */
  readonly waiting?: number
}

/** The events go to several streams in turn, where there are several. */
export const streamFeed = async (
  port: number,
  streams: ReadonlyArray<string>,
  group: string,
  { users, waiting = 0 }: StreamFeedOptions = {}
): Promise<Feed> => {
  const redis = new Redis(port)
  let next = 0
  await redis.flushall()
  for (const stream of streams) await redis.xgroup("CREATE", stream, group, "$", "MKSTREAM")
  return {
    prepare: (count) =>
      inChunks(count, (_, length) => {
        const first = next
        next += length
        const streamOf = (n: number) => `${streams[n % streams.length]}:hidden`
        return add(redis, streamOf, first, length, (n, now) => eventFields(n, now, users))
      }),
    release: async () => {
      for (const stream of streams) await redis.eval(RELEASE, 2, `${stream}:hidden`, stream)
    },
    isSettled: async () => {
      for (const stream of streams) {
        const [pending] = (await redis.xpending(stream, group)) as [number]
        if (pending > waiting) return false
      }
      return true
    },
    tidy: async () => {
      if (waiting === 0) for (const stream of streams) await redis.xtrim(stream, "MAXLEN", 0)
    },
    close: async () => {
      redis.disconnect()
    }
  }
}

/** So many events stand unread from the beginning; how many go is for the receiver to say. */
export const backlogFeed = async (port: number, stream: string, group: string, count: number): Promise<Feed> => {
  const redis = new Redis(port)
  await redis.flushall()
  await redis.xgroup("CREATE", stream, group, "$", "MKSTREAM")
  await addEvents(redis, stream, count)
  const nothing = async () => {}
  return {
    prepare: nothing,
    release: nothing,
    isSettled: async () => true,
    tidy: nothing,
    close: async () => redis.disconnect()
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
