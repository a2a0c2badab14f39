/** The chart in deploy/helm, rendered with values laid over its own. */
import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parse } from "yaml"
import { renderTemplates } from "./template.ts"

const chart = fileURLToPath(new URL("../../deploy/helm/job-collector", import.meta.url))
const read = (path: string): string => readFileSync(join(chart, path), "utf8")
const yaml = (path: string): unknown => parse(read(path), { version: "1.1" })

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** As helm does: maps are merged, all else is replaced. */
const over = (base: unknown, values: unknown): unknown =>
  isMap(base) && isMap(values)
    ? { ...base, ...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, over(base[name], value)])) }
    : values

/** The chart's values with others laid over them. */
export const chartValues = (values: unknown): { readonly settings: Readonly<Record<string, string>> } =>
  over(yaml("values.yaml"), values) as { readonly settings: Readonly<Record<string, string>> }

/** What each template of the chart comes to, without those that come to nothing. */
export const renderChart = (values: unknown): ReadonlyMap<string, string> => {
  const { appVersion, name, version } = yaml("Chart.yaml") as Readonly<Record<string, unknown>>
  const templates = globSync("templates/*.yaml", { cwd: chart }).sort()
  const rendered = renderTemplates(
    Object.fromEntries(templates.map((path) => [basename(path), read(path)])),
    [read("templates/_helpers.tpl")],
    {
      Values: chartValues(values),
      Chart: { Name: name, Version: version, AppVersion: appVersion },
      Release: { Name: "job-collector", Namespace: "job-collector" },
      Files: read
    }
  )
  return new Map(Object.entries(rendered).filter(([, text]) => text.trim() !== ""))
}
