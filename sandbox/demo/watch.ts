import type { World } from "../world.ts"
import type { Progress, Screen } from "./screen.ts"

const EVERY_MS = 250

const pid = (name: string, child: { readonly pid: number; readonly isRunning: boolean } | undefined, more = "") => ({
  name,
  up: child?.isRunning === true,
  state: child?.isRunning === true ? `pid ${child.pid}${more}` : "down"
})

/** Looks at the world again and again and shows it. What does not answer just now keeps its last figures. */
export class Watch {
  private readonly world: World
  private readonly screen: Screen
  private readonly planned: number | undefined
  private readonly timer: NodeJS.Timeout
  private looking = false
  private circuitOpen = false
  private last: Omit<Progress, "processes" | "planned">

  constructor(world: World, screen: Screen, planned: number | undefined) {
    this.world = world
    this.screen = screen
    this.planned = planned
    this.last = {
      events: 0,
      delivered: 0,
      retried: 0,
      abandoned: 0,
      waiting: 0,
      inDlq: 0,
      credits: 0,
      version: undefined
    }
    this.timer = setInterval(() => void this.look(), EVERY_MS)
  }

  /** The figures as last seen. */
  get figures(): Watch["last"] {
    return this.last
  }

  async look(): Promise<void> {
    if (this.looking) return
    this.looking = true
    const { world } = this
    const [status, backlog, ledger] = await Promise.allSettled([
      world.gateway.status(),
      world.streams.backlog(),
      world.operator("GET", "/ledger")
    ])
    if (status.status === "fulfilled") {
      const { events, version } = status.value
      this.last = { ...this.last, events, version: version ?? undefined }
    }
    if (backlog.status === "fulfilled") {
      const { abandoned, dlq, lag, pending, retries } = backlog.value
      this.last = { ...this.last, abandoned, retried: retries, inDlq: dlq, waiting: lag + pending }
    }
    if (ledger.status === "fulfilled") {
      const { credits_charged, jobs } = ledger.value
      this.last = { ...this.last, delivered: jobs ?? 0, credits: credits_charged ?? 0 }
    }
    await this.lookAtCircuit()
    this.looking = false
    this.screen.show({
      ...this.last,
      planned: this.planned,
      processes: [
        pid("Models Gateway", world.gateway.child, ` · ${world.gateway.url}`),
        { name: "Redis Streams", up: true, state: world.redisKind },
        pid("Job Collector", world.collector, ` · ${world.collectorUrl}`),
        pid("Jobs API", world.api.child, ` · ${world.api.url}/docs`),
        { name: "Database", up: true, state: world.databaseKind }
      ]
    })
  }

  /** The collector's circuit breaker, from its metrics. */
  private async lookAtCircuit(): Promise<void> {
    const metrics = await fetch(`${this.world.collectorUrl}/metrics`, { signal: AbortSignal.timeout(1_000) })
      .then((response) => response.text())
      .catch(() => "")
    const open = /^job_collector_circuit_open(?:\{.*\})? ([01])$/m.exec(metrics)?.[1]
    if (open === undefined || (open === "1") === this.circuitOpen) return
    this.circuitOpen = open === "1"
    this.screen.announce(
      this.circuitOpen
        ? "          The collector's circuit opens: it reads nothing more and burns no attempts, a probe now and then."
        : "          The collector's circuit closes: what waited is delivered."
    )
  }

  stop(): void {
    clearInterval(this.timer)
  }
}
