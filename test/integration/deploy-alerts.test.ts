import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { at, listAt, read, root, settingNames, yaml } from "../support/deploy-files.ts"
import { prometheusBinaries } from "../support/prometheus-binary.ts"
import { labelsByMetric, makeSampleMetrics } from "../support/sample-metrics.ts"

const alerts = yaml("deploy/prometheus/alerts.yml").flatMap((document) =>
  listAt(document, "groups").flatMap((group) => listAt(group, "rules"))
)
const alertNames = alerts.map((rule) => String(at(rule, "alert")))
const runbook = read("docs/runbook.md")
const changes = read("docs/runbook-changes.md")
/** Headings as a Markdown viewer's anchors. */
const anchors = new Set(
  [...runbook.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-")
  )
)

describe("alert rules", () => {
  let promtool: string
  beforeAll(() => {
    promtool = prometheusBinaries().promtool
  }, 120_000)
  const run = (...args: ReadonlyArray<string>) =>
    spawnSync(promtool, args, { cwd: join(root, "deploy/prometheus"), encoding: "utf8" })

  it("are well-formed", () => {
    const checked = run("check", "rules", "alerts.yml")
    expect(checked.status, checked.stderr).toBe(0)
    expect(checked.stdout).toContain(`${alertNames.length} rules found`)
  })

  it("fire and clear as their own tests say", () => {
    const tested = run("test", "rules", "alerts.test.yml")
    expect(tested.status, tested.stdout + tested.stderr).toBe(0)
  })

  it("are all among the alerts that their tests see firing", () => {
    const seen = new Set(
      [...read("deploy/prometheus/alerts.test.yml").matchAll(/alertname="(\w+)"/g)].map(([, n]) => n)
    )
    expect(alertNames.filter((name) => !seen.has(name))).toEqual([])
  })

  it("each say how bad it is, what it is, and where the runbook speaks of it", () => {
    expect(new Set(alertNames).size).toBe(alertNames.length)
    for (const rule of alerts) {
      const name = String(at(rule, "alert"))
      expect(["critical", "warning"], name).toContain(at(rule, "labels", "severity"))
      expect(at(rule, "annotations", "summary"), name).toBeTruthy()
      expect(at(rule, "annotations", "description"), name).toBeTruthy()
      expect(at(rule, "annotations", "runbook_url"), name).toBe(`docs/runbook.md#${name.toLowerCase()}`)
      expect(anchors, name).toContain(name.toLowerCase())
    }
  })

  it("say numbers as a person would: whole, as a share or as a duration", () => {
    for (const rule of alerts) {
      const texts = ["summary", "description"].map((name) => String(at(rule, "annotations", name)))
      for (const [, how] of texts.join("\n").matchAll(/\{\{ \$value\b([^}]*)\}\}/g)) {
        expect(['printf "%.0f"', "humanizePercentage", "humanizeDuration"], String(at(rule, "alert"))).toContain(
          how!.replace("|", "").trim()
        )
      }
    }
  })

  it("read text that promtool accepts", () => {
    const checked = spawnSync(promtool, ["check", "metrics"], { input: makeSampleMetrics()(), encoding: "utf8" })
    expect(checked.status, checked.stdout + checked.stderr).toBe(0)
  })
})

describe("metrics by name", () => {
  const known = labelsByMetric(makeSampleMetrics()())
  const labels = new Set([...known.values()].flatMap((names) => [...names]))
  const family = (name: string) => name.replace(/_(bucket|sum|count)$/, "")

  it("the sample has every metric that there is", () => {
    const source = read("src/services/Metrics.ts")
    const declarations = /(Metric\.)?(?:counter|gauge)s?(?:<[^(]*>)?\(\s*"(\w+)"|\{prefix\}([a-z]\w+)`/g
    const declared = [...source.matchAll(declarations)].map(([, bare, name, prefixed]) =>
      bare === undefined ? `job_collector_${name ?? prefixed}` : name
    )
    expect([...known.keys()].sort()).toEqual(declared.sort())
  })

  it("the contract names the same metrics with the same labels", () => {
    const section = /^## 8 [\s\S]*?^\| subject \| metrics \|([\s\S]*?)^## 9 /m.exec(read("docs/contract.md"))?.[1] ?? ""
    const named = [...section.replaceAll(/\([^)]*\)/g, "").matchAll(/`([a-z_]+)(?:\{([a-z_,]+)\})?`/g)]
    const documented = named.map(([, name, names]) => {
      const full = name!.startsWith("process_") || name!.startsWith("nodejs_") ? name! : `job_collector_${name}`
      return `${full}{${names?.split(",").sort().join() ?? ""}}`
    })
    const exported = [...known].map(
      ([name, names]) =>
        `${name}{${[...names]
          .filter((l) => l !== "le")
          .sort()
          .join()}}`
    )
    expect(documented.sort()).toEqual(exported.sort())
  })

  it.each([
    "deploy/prometheus/alerts.yml",
    "deploy/prometheus/alerts.test.yml",
    "deploy/grafana/job-collector.json",
    "docs/runbook.md"
  ])("%s names only metrics and labels that there are", (path) => {
    const text = read(path).replaceAll('\\"', '"')
    const unknown: Array<string> = []
    const used = [...text.matchAll(/\b(job_collector_\w+)(?:\{([^{}]*)\})?/g)]
    expect(used.length).toBeGreaterThan(0)
    for (const [, name, selector] of used) {
      const own = known.get(family(name!))
      if (own === undefined) unknown.push(name!)
      for (const [, label] of (selector ?? "").matchAll(/(\w+)(?:=|!=|=~|!~)"/g)) {
        if (!own?.has(label!) && label !== "instance") unknown.push(`${name}{${label}}`)
      }
    }
    for (const [, names] of text.matchAll(/\b(?:by|on) \(([^)]*)\)/g)) {
      for (const label of names!.split(",").map((name) => name.trim())) {
        if (!labels.has(label) && !["", "instance", "job", "alertname"].includes(label)) unknown.push(`by ${label}`)
      }
    }
    expect(unknown).toEqual([])
  })
})

describe("the runbook", () => {
  it("has a section for every ✗ of check", () => {
    const parts = ["settings", "key", "redis", "groups", "api", "config-directory", "gateway"]
    expect(parts.filter((part) => !anchors.has(`check-${part}`))).toEqual([])
  })

  it("speaks of no alert that is gone, and its links lead somewhere", () => {
    const headings = [...runbook.matchAll(/^### (JobCollector\w+)$/gm)].map(([, name]) => name!)
    expect(headings.sort()).toEqual([...alertNames].sort())
    const links = [...runbook.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor!)
    expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([])
  })

  it("names only log messages that there are", () => {
    const source = globSync("src/**/*.ts", { cwd: root }).map(read).join("\n")
    const messages = [...runbook.matchAll(/`([a-z]+\.[a-z_]+)`/g)].map(([, name]) => name!)
    expect(messages.length).toBeGreaterThan(5)
    expect(messages.filter((name) => !source.includes(`"${name}"`))).toEqual([])
  })

  it("says of every alert what it means, what to look at and what to do", () => {
    for (const name of alertNames) {
      const section = runbook.split(`### ${name}\n`)[1]?.split(/^##/m)[0] ?? ""
      for (const part of ["**Means**", "**Look at**", "**Do**"]) expect(section, name).toContain(part)
    }
  })
})

it("settings that the runbook and the alerts name are ones that the service reads", () => {
  const named = [...`${runbook}${changes}`.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)/g)].map(([, name]) => name!)
  const texts = alerts.flatMap((rule) =>
    [...String(at(rule, "annotations", "description")).matchAll(/\b[A-Z]+_[A-Z_]+\b/g)].map(([name]) => name)
  )
  const variables = settingNames()
  expect([...named, ...texts].filter((name) => !variables.has(name) && !/^HTTP_\d+$/.test(name))).toEqual([])
})
