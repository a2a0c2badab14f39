import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { prometheusBinaries } from "../support/prometheus-binary.ts"
import { PrometheusServer } from "../support/prometheus-server.ts"
import { waitUntil } from "../support/redis-server.ts"
import { makeSampleMetrics } from "../support/sample-metrics.ts"

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
}
interface Dashboard {
  readonly schemaVersion: number
  readonly panels: ReadonlyArray<Panel>
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string; readonly type: string }> }
}

const file = fileURLToPath(new URL("../../deploy/grafana/job-collector.json", import.meta.url))
const dashboard = JSON.parse(readFileSync(file, "utf8")) as Dashboard
const panels = dashboard.panels.filter((panel) => panel.type !== "row")

/** What Grafana puts in for its variables, with a rate interval that fits a scrape every 250 ms. */
const substitute = (expression: string) => expression.replaceAll("$__rate_interval", "4s").replaceAll("$instance", ".*")

describe("the dashboard", () => {
  it("has a variable for its data source, and every panel uses it, says what it shows, and has its place", () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39)
    expect(dashboard.templating.list).toContainEqual(
      expect.objectContaining({ name: "datasource", type: "datasource" })
    )
    expect(new Set(dashboard.panels.map((panel) => panel.id)).size).toBe(dashboard.panels.length)
    const cells = new Set<string>()
    for (const panel of panels) {
      expect(panel.datasource?.uid, panel.title).toMatch(/^\$\{datasource\}$/)
      expect(panel.description, panel.title).toBeTruthy()
      expect(panel.gridPos.x + panel.gridPos.w, panel.title).toBeLessThanOrEqual(24)
      for (let x = panel.gridPos.x; x < panel.gridPos.x + panel.gridPos.w; x += 1) {
        const cell = `${x},${panel.gridPos.y}`
        expect(cells.has(cell), `${panel.title} covers another panel`).toBe(false)
        cells.add(cell)
      }
    }
  })

  it("has a row for everything an operator asks about", () => {
    expect(dashboard.panels.filter((panel) => panel.type === "row").map((panel) => panel.title)).toEqual([
      "Health",
      "Throughput and outcomes",
      "Latency and age",
      "Backlog",
      "Retries, DLQ and abandoned events",
      "Circuit and ownership",
      "Credits",
      "Configuration and gateway",
      "Process"
    ])
  })
})

describe("the dashboard's queries on a real Prometheus", () => {
  let exporter: Server
  let prometheus: PrometheusServer
  /** The time of a scrape, in seconds: what is asked of that instant stays the same, also when a later scrape fails. */
  let scrapedAt: number

  beforeAll(async () => {
    const sample = makeSampleMetrics()
    exporter = createServer((_, response) =>
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(sample())
    )
    await new Promise<void>((resolve) => exporter.listen(0, "127.0.0.1", resolve))
    const { port } = exporter.address() as AddressInfo
    prometheus = await PrometheusServer.start(prometheusBinaries().prometheus, port)
    const threeScrapes = async () => {
      const [last] = await prometheus.query("timestamp(job_collector_redis_up)")
      if (last === undefined) return false
      scrapedAt = Number(last.value[1])
      const [scrapes] = await prometheus.query("count_over_time(job_collector_redis_up[4s])", scrapedAt)
      return Number(scrapes?.value[1] ?? 0) >= 3
    }
    await waitUntil("three scrapes are in, one after the other", threeScrapes, 60_000)
  }, 180_000)

  afterAll(async () => {
    await prometheus?.stop()
    exporter?.close()
  })

  it.each(panels.map((panel) => [`${panel.title} (${panel.id})`, panel] as const))("%s", async (_, panel) => {
    expect(panel.targets?.length).toBeGreaterThan(0)
    for (const { expr, legendFormat } of panel.targets ?? []) {
      const series = await prometheus.query(substitute(expr), scrapedAt)
      expect(series.length, expr).toBeGreaterThan(0)
      for (const { value } of series) expect(Number.isFinite(Number(value[1])), `${value[1]} from ${expr}`).toBe(true)
      // A legend that names a label the query does not keep would be empty.
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        for (const { metric } of series) expect(metric, expr).toHaveProperty(label!)
      }
    }
  })
})
