import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { redisCommand } from "./redis-command.ts"
import { answersPing, freePort, RedisServer, waitUntil } from "./redis-server.ts"

/** How a private group of one master, one replica and its Sentinels is made. */
export interface RedisSentinelOptions {
  /** Default 1. More than half of them must agree on a failover. */
  readonly sentinels?: number
  /** Of master and replica; the Sentinels themselves ask for none. */
  readonly password?: string
}

/** How long a failover may take, in ms: a Sentinel that was paused for two seconds does nothing for thirty more. */
export const failoverDeadline = 90_000

/** A master, its replica and Sentinels that watch them, on loopback. */
export class RedisSentinel {
  readonly name = "events"
  /** The servers; which is master changes with a failover. */
  readonly servers: ReadonlyArray<RedisServer>
  readonly ports: ReadonlyArray<number>
  private readonly children: ReadonlyArray<ChildProcess>
  private readonly directories: ReadonlyArray<string>

  private constructor(
    servers: ReadonlyArray<RedisServer>,
    ports: ReadonlyArray<number>,
    children: ReadonlyArray<ChildProcess>,
    directories: ReadonlyArray<string>
  ) {
    this.servers = servers
    this.ports = ports
    this.children = children
    this.directories = directories
  }

  static async start(options: RedisSentinelOptions = {}): Promise<RedisSentinel> {
    const { sentinels = 1, password } = options
    const quick = ["--repl-diskless-sync-delay", "0"]
    const args = password === undefined ? quick : [...quick, "--requirepass", password, "--masterauth", password]
    const master = await RedisServer.start(args)
    const replica = await RedisServer.start(["--replicaof", `127.0.0.1 ${master.port}`, ...args])
    const ports: Array<number> = []
    const children: Array<ChildProcess> = []
    const directories: Array<string> = []
    for (let i = 0; i < sentinels; i++) {
      const port = await freePort()
      const directory = mkdtempSync(join(tmpdir(), "job-collector-sentinel-"))
      const config = join(directory, "sentinel.conf")
      const quorum = Math.floor(sentinels / 2) + 1
      writeFileSync(
        config,
        [
          `port ${port}`,
          "bind 127.0.0.1",
          `dir ${directory}`,
          `sentinel monitor events 127.0.0.1 ${master.port} ${quorum}`,
          // Longer than any pause of a busy machine: nobody is thought down before `declareDown`.
          "sentinel down-after-milliseconds events 60000",
          "sentinel failover-timeout events 3000",
          ...(password === undefined ? [] : [`sentinel auth-pass events "${password}"`]),
          ""
        ].join("\n")
      )
      children.push(
        spawn(process.env.REDIS_SERVER_BINARY ?? "redis-server", [config, "--sentinel"], { stdio: "ignore" })
      )
      ports.push(port)
      directories.push(directory)
    }
    const group = new RedisSentinel([master, replica], ports, children, directories)
    try {
      for (const port of ports) {
        await waitUntil(`Sentinel answers on port ${port}`, () => answersPing(port))
        // By default it looks every 10 s, and leaves a demoted master alone for 8 s.
        await redisCommand(port, "SENTINEL", "DEBUG", "INFO-PERIOD", "200", "PUBLISH-PERIOD", "500")
      }
      await group.healthy()
      return group
    } catch (error) {
      await group.stop()
      throw error
    }
  }

  /** Waits until every Sentinel sees a master and a replica in good order. */
  async healthy(): Promise<void> {
    for (const port of this.ports) {
      const inStep = async () => {
        const replicas = (await redisCommand(port, "SENTINEL", "REPLICAS", this.name)) as ReadonlyArray<
          ReadonlyArray<string>
        >
        return replicas.some((fields) => {
          const at = (name: string) => fields[fields.indexOf(name) + 1]
          return at("flags") === "slave" && at("master-link-status") === "ok"
        })
      }
      await waitUntil("the Sentinel sees a replica in step", inStep, failoverDeadline)
    }
  }

  /** The server the first Sentinel names master. */
  async master(): Promise<RedisServer> {
    const answer = (await redisCommand(
      this.ports[0] ?? 0,
      "SENTINEL",
      "GET-MASTER-ADDR-BY-NAME",
      this.name
    )) as ReadonlyArray<string>
    const found = this.servers.find((server) => server.port === Number(answer[1]))
    if (found === undefined) throw new Error(`no server of this group listens on port ${answer[1]}`)
    return found
  }

  /** Makes the replica master. Resolves when the Sentinels name it so. */
  async failover(): Promise<void> {
    const before = await this.master()
    const another = async () => {
      if ((await this.master()).port !== before.port) return true
      // Refused while one is under way, and while what the Sentinel knows of the replica is not fresh.
      await redisCommand(this.ports[0] ?? 0, "SENTINEL", "FAILOVER", this.name).catch(() => {})
      return false
    }
    await waitUntil("another master", another, failoverDeadline)
  }

  /** Has the Sentinels think a master down that has been silent for half a second: they make the replica master. */
  async declareDown(): Promise<void> {
    for (const port of this.ports) {
      await redisCommand(port, "SENTINEL", "SET", this.name, "down-after-milliseconds", "500")
    }
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.children
        .filter((child) => child.exitCode === null && child.signalCode === null)
        .map((child) => {
          const ended = new Promise((resolve) => child.once("exit", resolve))
          child.kill("SIGKILL")
          return ended
        })
    )
    await Promise.all(this.servers.map((server) => server.stop()))
    for (const directory of this.directories) rmSync(directory, { recursive: true, force: true })
  }
}
