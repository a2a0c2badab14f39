/**
 * `npm run bench -- --growth`: what an event costs the service, and what memory stays, as one thing grows: each case beside the
 * smallest, measured by turns, every process with a redis-server of its own.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Redis } from "ioredis"
import { encodeDlqEntry } from "../src/domain/delivery/dlq.ts"
import { defaultStreams } from "../src/domain/options/options.ts"
import { RedisServer, waitUntil } from "../test/support/redis-server.ts"
import { operate } from "./command.ts"
import { eventFields } from "./events.ts"
import { addEvents, backlogFeed, type Feed, inChunks, streamFeed } from "./feeds.ts"
import { type Receiver, startReceiver, startVariant, type Variant } from "./harness.ts"
import { median } from "./median.ts"
import { kindStream, type Memory, type ReceiverConfig, type VariantConfig } from "./protocol.ts"

/** One size of what grows. */
interface Case {
  readonly name: string
  readonly feed: (config: VariantConfig) => Promise<Feed>
  readonly config?: Partial<VariantConfig>
  readonly receiver?: ReceiverConfig
  readonly replicas?: number
  /** What is to be awaited before it is measured. */
  readonly settles?: (config: VariantConfig) => Promise<void>
}

const plain = (config: VariantConfig) => streamFeed(config.redisPort, [config.stream], config.group)

const ofUsers = (users: number): Case => ({
  name: users === 1 ? "1 user" : `${users} users`,
  feed: (config) => streamFeed(config.redisPort, [config.stream], config.group, { users })
})

const ofBacklog = (backlog: number): Case => ({
  name: `${backlog} unread`,
  feed: (config) => backlogFeed(config.redisPort, config.stream, config.group, backlog),
  receiver: { holdsBack: true }
})

/** Entries that failed once and are due much later. */
const fillDlq = async (port: number, count: number) => {
  const redis = new Redis(port)
  const now = Date.now()
  await inChunks(count, (first, length) => {
    const pipeline = redis.pipeline()
    for (let n = first; n < first + length; n++) {
      const retry = {
        ...{ attempt: 1, not_before: now + 6 * 3_600_000, origin_stream: defaultStreams.transcribe },
        ...{ origin_id: `${now}-${n}`, first_failed_at: now, last_failed_at: now },
        ...{ error_code: "HTTP_500", error_message: "the API answered 500" }
      }
      pipeline.xadd(defaultStreams.dlq, "*", ...encodeDlqEntry(retry, Object.entries(eventFields(n, now)).flat()))
    }
    return pipeline.exec()
  })
  redis.disconnect()
}

/** Waits until so many entries of a stream have been read and are not done. */
const arePending = async ({ group, redisPort }: VariantConfig, stream: string, count: number) => {
  const redis = new Redis(redisPort)
  const isRead = async () => {
    const [pending] = (await redis.xpending(stream, group)) as [number]
    return pending === count
  }
  await waitUntil(`${count} entries are pending`, isRead, 120_000)
  redis.disconnect()
}

const ofDlq = (count: number): Case => ({
  name: `${count} in the DLQ`,
  feed: async (config) => {
    const feed = await plain(config)
    await fillDlq(config.redisPort, count)
    return feed
  },
  settles: (config) => arePending(config, defaultStreams.dlq, count)
})

/** A rule is obeyed within two seconds. */
const obeyedAfterMs = 3_000

/** As many as are held, so that none is set aside. */
const held = 9_000

/** Events that wait for what is parked, of so many users. */
const ofWaiting = (users: number): Case => ({
  name: `${held} of ${users === 1 ? "1 user" : `${users} users`}`,
  feed: (config) => streamFeed(config.redisPort, [config.stream], config.group, { waiting: held }),
  settles: async (config) => {
    operate(config.redisPort, "park", "model=parked")
    await sleep(obeyedAfterMs)
    const redis = new Redis(config.redisPort)
    await addEvents(redis, config.stream, held, (n, now) => ({ ...eventFields(n, now, users), model: "parked" }))
    redis.disconnect()
    await arePending(config, config.stream, held)
  }
})

const ofKinds = (kinds: number): Case => ({
  name: `${kinds} kinds`,
  config: { kinds },
  feed: ({ group, redisPort }) =>
    streamFeed(
      redisPort,
      Array.from({ length: kinds }, (_, n) => kindStream(n)),
      group
    )
})

const ofReplicas = (replicas: number): Case => ({
  name: replicas === 1 ? "1 replica" : `${replicas} replicas`,
  feed: plain,
  replicas
})

/** What can grow, each from its smallest case. */
const growing: Readonly<Record<string, ReadonlyArray<Case>>> = {
  isolation: [
    { name: "nothing isolated", feed: plain, config: { isolatesNothing: true } },
    { name: "by model and user", feed: plain }
  ],
  users: [ofUsers(1), ofUsers(100), ofUsers(10_000)],
  waiting: [ofWaiting(1), ofWaiting(held)],
  backlog: [{ ...ofUsers(1_000), name: "nothing unread" }, ofBacklog(1_000_000)],
  dlq: [ofDlq(0), ofDlq(1_000), ofDlq(100_000)],
  kinds: [ofKinds(2), ofKinds(20)],
  replicas: [ofReplicas(1), ofReplicas(2), ofReplicas(4)]
}

export const growths = Object.keys(growing)

export interface GrowthOptions {
  readonly script: string
  /** Events of each turn, and how many turns. */
  readonly turnEvents: number
  readonly turns: number
  readonly warmup: number
  readonly idleSeconds: number
}

interface Running {
  readonly name: string
  readonly variant: Variant
  readonly cpu: Array<number>
  readonly stop: () => Promise<void>
}

const startCase = async (one: Case, given: VariantConfig, options: GrowthOptions): Promise<Running> => {
  const redis = await RedisServer.start(["--appendonly", "no"])
  const receiver: Receiver = await startReceiver(one.receiver)
  const config = { ...given, ...one.config, redisPort: redis.port, apiUrl: receiver.url }
  const feed = await one.feed(config)
  const variant = await startVariant(options.script, config, feed, receiver, one.replicas)
  await variant.run(options.warmup)
  await one.settles?.(config)
  return {
    name: one.name,
    variant,
    cpu: [],
    stop: async () => {
      await variant.stop()
      await feed.close()
      receiver.stop()
      await redis.stop()
    }
  }
}

/** What one case came to: CPU time of an event and of an idle second in microseconds, and its memory. */
interface Figures {
  readonly name: string
  readonly cpu: ReadonlyArray<number>
  readonly idle: number
  readonly memory: Memory
}

const cells = (...texts: ReadonlyArray<string>) => texts.map((text) => text.padStart(13)).join("")

const print = (what: string, all: ReadonlyArray<Figures>) => {
  const [first] = all
  if (first === undefined) return
  const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1)
  console.log(`\n${what.padEnd(22)}${cells("CPU an event", "ratio", "idle ms/s", "RSS MB", "more", "heap MB", "more")}`)
  for (const { cpu, idle, memory, name } of all) {
    const ratio = median(cpu.map((own, turn) => own / (first.cpu[turn] ?? own)))
    const more = (of: keyof Memory) => megabytes(memory[of] - first.memory[of])
    console.log(
      name.padEnd(22) +
        cells(`${median(cpu).toFixed(1)} µs`, ratio.toFixed(3), (idle / 1_000).toFixed(2)) +
        cells(megabytes(memory.rssBytes), more("rssBytes"), megabytes(memory.heapBytes), more("heapBytes"))
    )
  }
}

const measure = async (what: string, config: VariantConfig, options: GrowthOptions) => {
  const running: Array<Running> = []
  for (const one of growing[what] ?? []) running.push(await startCase(one, config, options))
  const inTurn = [...running]
  for (let turn = 0; turn < options.turns; turn++) {
    for (const { cpu, variant } of inTurn) {
      const { cpuMicros } = await variant.run(options.turnEvents)
      cpu.push(cpuMicros / options.turnEvents)
    }
    inTurn.reverse()
  }
  const idle = sleep(options.idleSeconds * 1_000)
  const figures = await Promise.all(
    running.map(async ({ cpu, name, variant }): Promise<Figures> => {
      const { cpuMicros, seconds } = await variant.during(idle)
      return { name, cpu, idle: cpuMicros / seconds, memory: await variant.memory() }
    })
  )
  for (const { stop } of running) await stop()
  print(what, figures)
}

/** Measures each of what is named. */
export const measureGrowth = async (
  names: ReadonlyArray<string>,
  config: VariantConfig,
  options: GrowthOptions
): Promise<void> => {
  for (const name of names) await measure(name, config, options)
}
