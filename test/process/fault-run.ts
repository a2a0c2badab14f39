/** One seeded fault run: real replicas, a real Redis, an API that keeps a ledger, and faults while events arrive. */
import { setTimeout as sleep } from "node:timers/promises"
import { Chance } from "../../src/testing/world/chance.ts"
import { CollectorProcess } from "../support/collector-process.ts"
import { type Account, describeAccount } from "../support/conservation.ts"
import { type ApiFault, describeFault, type Fault, faultyAnswer, type PlannedFault, plan } from "../support/faults.ts"
import { RedisServer } from "../support/redis-server.ts"
import { TcpProxy } from "../support/tcp-proxy.ts"
import { Scene } from "./scene.ts"

export interface FaultRunOptions {
  readonly seed: number
  readonly events: number
  /** Default 3. */
  readonly replicas?: number
  /** Faults in the run; default 12. */
  readonly faults?: number
  /** How long events go on arriving, in milliseconds; default 20,000. */
  readonly trafficMs?: number
  /** Whether Redis may lose its data; default false. */
  readonly dataLoss?: boolean
  /** Faults to suffer instead of those the seed draws. */
  readonly planned?: ReadonlyArray<PlannedFault>
  /** How long everything may take to come to its end after the traffic, in milliseconds; default 180,000. */
  readonly drainMs?: number
}

export interface FaultRunReport {
  readonly seed: number
  readonly faults: ReadonlyArray<string>
  readonly account: Account
  /** From the end of the traffic to the end of the last event, in milliseconds. */
  readonly drainedMs: number
  readonly requests: number
  /** What no run may show: ends with an error, loops that died. */
  readonly alarms: ReadonlyArray<string>
}

const claimIdleMs = 2_000
const apiTimeoutMs = 1_000

/** A replica: its process, started anew after each end, behind a proxy of its own to Redis. */
class Replica {
  private readonly name: string
  private readonly env: Readonly<Record<string, string>>
  readonly proxy: TcpProxy
  process: CollectorProcess
  readonly ended: Array<CollectorProcess> = []

  constructor(name: string, proxy: TcpProxy, env: Readonly<Record<string, string>>) {
    this.name = name
    this.proxy = proxy
    this.env = env
    this.process = this.start()
  }

  private start(): CollectorProcess {
    return CollectorProcess.start({
      ...this.env,
      CONSUMER_NAME: this.name,
      REDIS_URL: `redis://127.0.0.1:${this.proxy.port}`
    })
  }

  restart(): void {
    if (this.process.running) return
    this.ended.push(this.process)
    this.process = this.start()
  }
}

class FaultRun {
  readonly alarms: Array<string> = []
  private readonly options: FaultRunOptions
  private readonly redis: RedisServer
  private readonly scene: Scene
  private readonly replicas: ReadonlyArray<Replica>
  private readonly apiFaults = new Set<ApiFault>()
  /** Faults of Redis come one after the other. */
  private redisFault: Promise<void> = Promise.resolve()
  private apiClosed = 0

  private constructor(
    options: FaultRunOptions,
    chance: Chance,
    redis: RedisServer,
    scene: Scene,
    proxies: ReadonlyArray<TcpProxy>
  ) {
    this.options = options
    this.redis = redis
    this.scene = scene
    scene.api.answer = (request) => {
      for (const how of this.apiFaults) {
        const answer = faultyAnswer(how, request, chance, apiTimeoutMs + 500)
        if (answer !== undefined) return answer
      }
      return undefined
    }
    this.replicas = proxies.map(
      (proxy, i) =>
        new Replica(`replica-${i + 1}`, proxy, {
          API_BASE_URL: scene.api.url,
          API_TIMEOUT: `${apiTimeoutMs} millis`,
          CLAIM_IDLE: `${claimIdleMs} millis`,
          GROUP_START_ID: "0",
          SHUTDOWN_TIMEOUT: "5 seconds"
        })
    )
  }

  static async begin(options: FaultRunOptions, chance: Chance): Promise<FaultRun> {
    const redis = await RedisServer.start(["--appendonly", "yes", "--appendfsync", "no"])
    const scene = await Scene.withRedis(redis)
    const proxies = await Promise.all(Array.from({ length: options.replicas ?? 3 }, () => TcpProxy.start(redis.port)))
    return new FaultRun(options, chance, redis, scene, proxies)
  }

  /** Once the replicas work, events arrive while faults befall everything; then waits for the last event's end. */
  async pass(faults: ReadonlyArray<PlannedFault>): Promise<{ readonly account: Account; readonly drainedMs: number }> {
    await Promise.all(this.replicas.map((replica) => replica.process.collecting()))
    let over = false
    const looking = this.lookForForks(() => over)
    await Promise.all([
      this.scene.produce(this.options.events, this.options.trafficMs ?? 20_000),
      ...faults.map(async ({ at, fault }) => {
        await sleep(at)
        await this.suffer(fault)
      })
    ])
    const quiet = Date.now()
    const deadline = quiet + (this.options.drainMs ?? 180_000)
    let account = await this.scene.account()
    while ((account.waiting > 0 || account.lost.length > 0) && Date.now() < deadline) {
      await sleep(1_000)
      account = await this.scene.account()
    }
    over = true
    await looking
    return { account, drainedMs: Date.now() - quiet }
  }

  private async lookForForks(over: () => boolean): Promise<void> {
    while (!over()) {
      await this.scene.conservation.lookForForks(this.scene.call).catch(() => {})
      await sleep(200)
    }
  }

  private async suffer(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case "kill":
      case "leave":
        return this.without(fault.replica, fault.kind === "kill" ? "SIGKILL" : "SIGTERM", fault.forMs)
      case "pause": {
        const { process } = this.replica(fault.replica)
        process.child.kill("SIGSTOP")
        await sleep(fault.forMs)
        process.child.kill("SIGCONT")
        return
      }
      case "connection": {
        const { proxy } = this.replica(fault.replica)
        proxy.set(fault.mode)
        await sleep(fault.forMs)
        proxy.set("pass")
        // What a black hole swallowed never comes back on the same connection.
        if (fault.mode === "black-hole") proxy.cut()
        return
      }
      case "api":
        return this.sufferApi(fault.how, fault.forMs)
      case "redis restart":
      case "redis wiped":
      case "redis flushed":
        this.redisFault = this.redisFault.then(() => this.sufferRedis(fault.kind, fault.forMs))
        return this.redisFault
    }
  }

  private replica(index: number): Replica {
    const replica = this.replicas[index]
    if (replica === undefined) throw new Error(`there is no replica ${index}`)
    return replica
  }

  private async without(index: number, signal: NodeJS.Signals, forMs: number): Promise<void> {
    const replica = this.replica(index)
    const { process } = replica
    this.checkEnd(process, await process.end(signal), signal)
    await sleep(forMs)
    replica.restart()
  }

  /** A clean stop ends with 0; a process that has hardly begun does not listen to signals yet. */
  private checkEnd(process: CollectorProcess, end: number | NodeJS.Signals | null, signal: NodeJS.Signals): void {
    if (end === 0 || end === "SIGKILL" || (end === signal && process.logged("listening").length === 0)) return
    this.alarms.push(`${signal} ended it with ${end}: ${process.lines.slice(-3).join(" ")}`)
  }

  private async sufferApi(how: ApiFault, forMs: number): Promise<void> {
    if (how === "down") {
      this.apiClosed += 1
      if (this.apiClosed === 1) await this.scene.api.close()
      await sleep(forMs)
      this.apiClosed -= 1
      if (this.apiClosed === 0) await this.scene.api.listen()
      return
    }
    this.apiFaults.add(how)
    await sleep(forMs)
    this.apiFaults.delete(how)
  }

  private async sufferRedis(kind: "redis restart" | "redis wiped" | "redis flushed", forMs: number): Promise<void> {
    if (kind === "redis flushed") {
      await this.scene.call("FLUSHALL").catch(() => {})
      this.scene.conservation.redisLost(kind)
      return
    }
    await this.redis.down("SIGKILL")
    if (kind === "redis wiped") {
      this.redis.forget()
      this.scene.conservation.redisLost(kind)
    }
    await sleep(forMs)
    await this.redis.up()
  }

  get requests(): number {
    return this.scene.api.verifiedCount + this.scene.api.unverifiedCount
  }

  async close(): Promise<void> {
    await Promise.all(
      this.replicas.map(async ({ ended, process, proxy }) => {
        this.checkEnd(process, await process.end("SIGTERM"), "SIGTERM")
        await proxy.stop()
        for (const each of [...ended, process]) {
          for (const died of each.logged("loop.died")) this.alarms.push(`a loop died: ${died}`)
        }
      })
    )
    if (this.scene.api.unverifiedCount > 0)
      this.alarms.push(`${this.scene.api.unverifiedCount} requests were not signed well`)
    await this.scene.close()
  }
}

/** Runs one seed from beginning to end. */
export const runFaults = async (options: FaultRunOptions): Promise<FaultRunReport> => {
  const chance = new Chance(`faults ${options.seed}`)
  const faults =
    options.planned ??
    plan(chance, {
      replicas: options.replicas ?? 3,
      withinMs: options.trafficMs ?? 20_000,
      count: options.faults ?? 12,
      claimIdleMs,
      dataLoss: options.dataLoss ?? false
    })
  const run = await FaultRun.begin(options, chance)
  let passed: { readonly account: Account; readonly drainedMs: number } | undefined
  try {
    passed = await run.pass(faults)
  } finally {
    await run.close()
  }
  return {
    seed: options.seed,
    faults: faults.map(describeFault),
    ...passed,
    requests: run.requests,
    alarms: run.alarms
  }
}

/** Whether a run kept its promises. */
export const isGood = ({ account, alarms }: FaultRunReport): boolean =>
  account.lost.length === 0 &&
  account.waiting === 0 &&
  account.chargedTwice.length === 0 &&
  account.forked.length === 0 &&
  account.abandoned.poison === undefined &&
  alarms.length === 0

export const describeReport = (report: FaultRunReport): string =>
  [
    `seed ${report.seed}: ${isGood(report) ? "good" : "BAD"}; ${describeAccount(report.account)}; ${report.requests} requests, drained in ${(report.drainedMs / 1_000).toFixed(1)} s`,
    `  ${report.faults.join(" · ")}`,
    ...report.alarms.map((alarm) => `  ALARM ${alarm}`),
    ...report.account.lost.slice(0, 5).map((eventId) => `  LOST ${eventId}`),
    ...report.account.forked.slice(0, 5).map((eventId) => `  FORKED ${eventId}`)
  ].join("\n")
