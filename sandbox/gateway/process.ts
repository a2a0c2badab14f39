import { join } from "node:path"
import { Child } from "../children.ts"
import type { Order, Produced } from "./Producer.ts"

export interface GatewayProcessOptions {
  readonly port: number
  readonly redisUrl: string
  /** Holds the configuration files. */
  readonly configDirectory: string
  /** Takes the gateway's pid file and status file. */
  readonly runDirectory: string
  readonly seed: string
}

/** What `GET /status` says. */
export interface GatewayStatus extends Produced {
  readonly version: number | null
  readonly reloads: number
  readonly problem: string | null
}

/** The gateway as a child process. */
export class GatewayProcess {
  readonly url: string
  readonly child: Child
  readonly pidFile: string
  readonly statusFile: string

  private constructor(options: GatewayProcessOptions, child: Child) {
    this.url = `http://127.0.0.1:${options.port}`
    this.child = child
    this.pidFile = GatewayProcess.pidFile(options.runDirectory)
    this.statusFile = GatewayProcess.statusFile(options.runDirectory)
  }

  static pidFile(runDirectory: string): string {
    return join(runDirectory, "gateway.pid")
  }

  static statusFile(runDirectory: string): string {
    return join(runDirectory, "gateway.status.json")
  }

  /** Starts the gateway and waits until it answers. */
  static async start(options: GatewayProcessOptions): Promise<GatewayProcess> {
    const child = await Child.node("Models Gateway", "./gateway/main.ts", {
      GATEWAY_HTTP_PORT: `${options.port}`,
      REDIS_URL: options.redisUrl,
      CONFIG_DIR: options.configDirectory,
      GATEWAY_PID_FILE: GatewayProcess.pidFile(options.runDirectory),
      GATEWAY_STATUS_FILE: GatewayProcess.statusFile(options.runDirectory),
      GATEWAY_SEED: options.seed
    })
    const gateway = new GatewayProcess(options, child)
    await child.until("healthy", async () => (await gateway.status()) !== undefined)
    return gateway
  }

  async status(): Promise<GatewayStatus> {
    const response = await fetch(`${this.url}/status`, { signal: AbortSignal.timeout(15_000) })
    return (await response.json()) as GatewayStatus
  }

  /** Has events produced at a rate; returns at once. */
  async produce(order: Order): Promise<void> {
    const response = await fetch(`${this.url}/produce`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(order),
      signal: AbortSignal.timeout(15_000)
    })
    if (response.status !== 202) throw new Error(`The gateway refused an order for events: ${await response.text()}`)
  }
}
