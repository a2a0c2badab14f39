import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, waitUntil } from "./redis-server.ts"

interface Series {
  readonly metric: Record<string, string>
  readonly value: readonly [number, string]
}
interface Answer {
  readonly status: "success" | "error"
  readonly error?: string
  readonly data: { readonly result: ReadonlyArray<Series> }
}

/** A private Prometheus that scrapes one target four times a second, as job `job-collector`. */
export class PrometheusServer {
  readonly url: string
  private readonly child: ChildProcess
  private readonly folder: string

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url
    this.child = child
    this.folder = folder
  }

  static async start(binary: string, targetPort: number): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), "job-collector-prometheus-"))
    const port = await freePort()
    writeFileSync(
      join(folder, "prometheus.yml"),
      [
        "global: { scrape_interval: 250ms, scrape_timeout: 250ms }",
        "scrape_configs:",
        "  - job_name: job-collector",
        `    static_configs: [{ targets: ["127.0.0.1:${targetPort}"] }]`
      ].join("\n")
    )
    const child = spawn(
      binary,
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=error"
      ],
      { stdio: "ignore" }
    )
    const server = new PrometheusServer(`http://127.0.0.1:${port}`, child, folder)
    const ready = async () => {
      if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`)
      return fetch(`${server.url}/-/ready`).then(
        (response) => response.ok,
        () => false
      )
    }
    await waitUntil("prometheus answers", ready, 60_000)
    return server
  }

  /** A query at an instant (seconds; by default now); rejects with Prometheus's own words when it does not parse. */
  async query(expression: string, time?: number): Promise<ReadonlyArray<Series>> {
    const parameters = new URLSearchParams({ query: expression, ...(time === undefined ? {} : { time: `${time}` }) })
    const response = await fetch(`${this.url}/api/v1/query?${parameters}`)
    const answer = (await response.json()) as Answer
    if (answer.status !== "success") throw new Error(`${answer.error} in ${expression}`)
    return answer.data.result
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve))
      this.child.kill("SIGKILL")
      await ended
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
