/** A stage for figures and tests with real processes: a Redis, an API with its ledger, a producer, and any collectors. */
import { setTimeout as sleep } from "node:timers/promises"
import { type Cluster, Redis as IoRedisClient } from "ioredis"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import {
  type Account,
  type Call,
  Conservation,
  defaultStreams,
  describeAccount,
  type Streams
} from "../support/conservation.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { type RedisServer, waitUntil } from "../support/redis-server.ts"

export class Scene {
  readonly api: ReceivingApi
  readonly client: IoRedisClient | Cluster
  readonly conservation: Conservation
  readonly collectors: Array<CollectorProcess> = []
  private readonly env: Readonly<Record<string, string>>
  private readonly clean: ReadonlyArray<() => Promise<void>>
  private serial = 0

  constructor(
    api: ReceivingApi,
    client: IoRedisClient | Cluster,
    env: Readonly<Record<string, string>>,
    streams: Streams,
    clean: ReadonlyArray<() => Promise<void>>
  ) {
    this.api = api
    this.client = client
    this.env = env
    this.conservation = new Conservation(streams)
    this.clean = clean
    api.keep = false
  }

  /** With one private Redis server. */
  static async withRedis(redis: RedisServer, env: Readonly<Record<string, string>> = {}): Promise<Scene> {
    const api = await ReceivingApi.start(testKey.public)
    const client = new IoRedisClient(redis.url, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      disableClientInfo: true,
      retryStrategy: () => 50
    }).on("error", () => {})
    await waitUntil("the client is connected", () => client.status === "ready")
    return new Scene(api, client, { REDIS_URL: redis.url, GROUP_START_ID: "0", ...env }, defaultStreams, [
      () => redis.stop()
    ])
  }

  readonly call: Call = (command, ...args) => this.client.call(command, ...args)

  start(env: Readonly<Record<string, string>> = {}): CollectorProcess {
    const name = `replica-${this.collectors.length + 1}`
    const collector = CollectorProcess.start({
      API_BASE_URL: this.api.url,
      CONSUMER_NAME: name,
      ...this.env,
      ...env
    })
    this.collectors.push(collector)
    return collector
  }

  /** Adds one event; one that Redis did not acknowledge is none that anybody was promised. */
  async add(): Promise<boolean> {
    const serial = this.serial++
    const eventId = `event-${serial}`
    const { sources } = this.conservation.streams
    const at = serial % sources.length
    const now = Date.now()
    const fields = at % 2 === 0 ? transcribeFields(eventId, now) : processFields(eventId, now)
    const added = await this.call("XADD", sources[at] ?? "", "*", ...fields).catch(() => undefined)
    if (added !== undefined) this.conservation.note(eventId)
    return added !== undefined
  }

  /** Adds so many events, evenly over a time. */
  async produce(count: number, overMs: number): Promise<void> {
    const tickMs = 50
    const ticks = Math.max(1, Math.floor(overMs / tickMs))
    const until = this.conservation.produced.size + count
    while (this.conservation.produced.size < until) {
      const size = Math.min(Math.ceil(count / ticks), until - this.conservation.produced.size)
      await Promise.all([sleep(tickMs), ...Array.from({ length: size }, () => this.add())])
    }
  }

  account(): Promise<Account> {
    return this.conservation.account(this.call, this.api)
  }

  /** Waits until no event waits and none is missing: the account then, or when the time is up. */
  async settled(deadlineMs = 120_000): Promise<Account> {
    const end = Date.now() + deadlineMs
    for (;;) {
      const account = await this.account()
      if ((account.waiting === 0 && account.lost.length === 0) || Date.now() > end) return account
      await sleep(250)
    }
  }

  /** Waits for the end of all events: each delivered or given up, none lost, charged twice or forked. */
  async keepsPromises(): Promise<Account> {
    const account = await this.settled()
    const { chargedTwice, forked, lost, waiting } = account
    if (waiting + lost.length + chargedTwice.length + forked.length > 0) throw new Error(describeAccount(account))
    return account
  }

  async close(): Promise<void> {
    await Promise.all(this.collectors.map((collector) => collector.end("SIGKILL")))
    this.client.disconnect()
    await this.api.close()
    for (const step of this.clean) await step()
  }
}
