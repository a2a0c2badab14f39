import { execFileSync, spawn, spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { parseAllDocuments } from "yaml"
import { prometheusBinaries } from "../support/prometheus-binary.ts"
import { labelsByMetric, makeSampleMetrics } from "../support/sample-metrics.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), "utf8")
/** The documents of a file, read as Kubernetes and Prometheus read it. */
const yaml = (path: string): Array<unknown> =>
  parseAllDocuments(read(path), { version: "1.1" }).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS()
  })

/** Steps into parsed YAML by keys and positions; undefined where there is nothing. */
const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (found, key) => (typeof found !== "object" || found === null ? undefined : Reflect.get(found, key)),
    value
  )
const listAt = (value: unknown, ...path: ReadonlyArray<string | number>): Array<unknown> => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

const alerts = yaml("deploy/prometheus/alerts.yml").flatMap((document) =>
  listAt(document, "groups").flatMap((group) => listAt(group, "rules"))
)
const alertNames = alerts.map((rule) => String(at(rule, "alert")))
const runbook = read("docs/runbook.md")
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

describe("settings", () => {
  // The variables the service reads, from the modules that declare them.
  const variables = new Set(
    globSync("src/layers/settings/*.ts", { cwd: root }).flatMap((path) =>
      [...read(path).matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g)].map(([, name]) => name!)
    )
  )
  const assigned = (text: string) => [...text.matchAll(/^([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name!)
  const container = at(yaml("deploy/kubernetes/statefulset.yaml")[0], "spec", "template", "spec", "containers", 0)
  const collector = at(yaml("deploy/docker/compose.yaml")[0], "services", "collector")
  const dockerEnv = (/^ENV (.*)$/m.exec(read("deploy/docker/Dockerfile"))?.[1] ?? "").split(" ")
  const used: ReadonlyArray<readonly [file: string, names: ReadonlyArray<string>]> = [
    ["deploy/systemd/job-collector.env", assigned(read("deploy/systemd/job-collector.env"))],
    [
      "deploy/systemd/job-collector.service",
      assigned(read("deploy/systemd/job-collector.service").replaceAll(/^Environment=/gm, ""))
    ],
    ["deploy/docker/collector.env", assigned(read("deploy/docker/collector.env"))],
    ["deploy/docker/Dockerfile", assigned(dockerEnv.join("\n")).filter((name) => name !== "NODE_ENV")],
    ["deploy/docker/compose.yaml", Object.keys(at(collector, "environment") ?? {})],
    ["deploy/kubernetes/configmap.yaml", Object.keys(at(yaml("deploy/kubernetes/configmap.yaml")[0], "data") ?? {})],
    ["deploy/kubernetes/statefulset.yaml", listAt(container, "env").map((entry) => String(at(entry, "name")))]
  ]

  it.each(used)("%s sets only variables that the service reads", (_, names) => {
    expect(variables.size).toBeGreaterThan(40)
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => !variables.has(name))).toEqual([])
  })

  it("the runbook names only variables that the service reads", () => {
    const named = [...runbook.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)/g)].map(([, name]) => name!)
    const texts = alerts.flatMap((rule) =>
      [...String(at(rule, "annotations", "description")).matchAll(/\b[A-Z]+_[A-Z_]+\b/g)].map(([name]) => name)
    )
    expect([...named, ...texts].filter((name) => !variables.has(name) && !/^HTTP_\d+$/.test(name))).toEqual([])
  })
})

describe("Kubernetes", () => {
  const files = globSync("deploy/kubernetes/*.yaml", { cwd: root }).sort()
  const pod = at(yaml("deploy/kubernetes/statefulset.yaml")[0], "spec", "template", "spec")
  const container = at(pod, "containers", 0)

  it.each(files)("%s parses into objects with kind, version and name", (path) => {
    for (const document of yaml(path)) {
      expect(at(document, "apiVersion")).toBeTruthy()
      expect(at(document, "kind")).toBeTruthy()
      if (basename(path) !== "kustomization.yaml") expect(at(document, "metadata", "name")).toMatch(/^job-collector/)
    }
  })

  it("the kustomization lists every file", () => {
    const listed = listAt(yaml("deploy/kubernetes/kustomization.yaml")[0], "resources")
    expect([...listed, "kustomization.yaml"].sort()).toEqual(files.map((path) => basename(path)))
  })

  it("the probes are the service's paths on its port, and the name is the pod's", () => {
    expect(at(container, "livenessProbe", "httpGet", "path")).toBe("/health/live")
    expect(at(container, "startupProbe", "httpGet", "path")).toBe("/health/live")
    expect(at(container, "readinessProbe", "httpGet", "path")).toBe("/health/ready")
    const config = at(yaml("deploy/kubernetes/configmap.yaml")[0], "data")
    expect(at(config, "HTTP_PORT")).toBe(String(at(container, "ports", 0, "containerPort")))
    expect(at(config, "HTTP_HOST")).toBe("0.0.0.0")
    expect(at(container, "env", 0, "valueFrom", "fieldRef", "fieldPath")).toBe("metadata.name")
  })

  it("the pod has no rights it does not need", () => {
    expect(at(pod, "securityContext", "runAsNonRoot")).toBe(true)
    expect(at(pod, "automountServiceAccountToken")).toBe(false)
    expect(at(container, "securityContext")).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] }
    })
  })

  it("the scaler follows the streams and the group of the settings", () => {
    const triggers = listAt(yaml("deploy/kubernetes/scaledobject.yaml")[0], "spec", "triggers")
    expect(triggers.map((trigger) => at(trigger, "metadata", "stream"))).toEqual(
      ["transcribe", "process", "dlq"].map((name) => `modelsgateway:events:${name}`)
    )
    for (const trigger of triggers) expect(at(trigger, "metadata", "consumerGroup")).toBe("job-collector-group")
  })
})

describe("stopping", () => {
  it("everything that runs the service waits longer than SHUTDOWN_TIMEOUT's 25 seconds before it kills", () => {
    const unit = read("deploy/systemd/job-collector.service")
    const pod = at(yaml("deploy/kubernetes/statefulset.yaml")[0], "spec", "template", "spec")
    const collector = at(yaml("deploy/docker/compose.yaml")[0], "services", "collector")
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(25)
    expect(at(pod, "terminationGracePeriodSeconds")).toBeGreaterThan(25)
    expect(Number.parseInt(String(at(collector, "stop_grace_period")), 10)).toBeGreaterThan(25)
  })
})

describe("systemd", () => {
  const verifier = spawnSync("systemd-analyze", ["--version"]).status === 0

  it.skipIf(!verifier)("the unit is one that systemd understands", () => {
    const verified = spawnSync("systemd-analyze", ["verify", "deploy/systemd/job-collector.service"], {
      cwd: root,
      encoding: "utf8"
    })
    // Where /usr/bin/node is absent systemd says so of any unit; that is the machine's matter.
    const complaints = verified.stderr.split("\n").filter((line) => line !== "" && !line.includes("not executable"))
    expect(complaints).toEqual([])
  })

  it.skipIf(!verifier)("the unit leaves the service little: an exposure of 1.6 at most", () => {
    const file = "deploy/systemd/job-collector.service"
    const judged = spawnSync("systemd-analyze", ["security", "--offline=true", "--no-pager", "--threshold=16", file], {
      cwd: root,
      encoding: "utf8"
    })
    expect(judged.status, judged.stdout + judged.stderr).toBe(0)
  })

  it("the unit keeps the key out of core dumps and debuggers", () => {
    const unit = read("deploy/systemd/job-collector.service")
    expect(unit).toMatch(/^LimitCORE=0$/m)
    expect(unit).toMatch(/^ExecStart=\S+ --disable-sigusr1 /m)
    expect(read("deploy/docker/Dockerfile")).toMatch(/^ENTRYPOINT \["[^"]+", "--disable-sigusr1", /m)
    expect(spawnSync(process.execPath, ["--disable-sigusr1", "--eval", ""]).status).toBe(0)
  })

  it("the unit allows what CONFIG_FILE_GROUP does, which its filter of privileged calls would refuse", () => {
    const filters = [...read("deploy/systemd/job-collector.service").matchAll(/^SystemCallFilter=(.*)$/gm)]
    const names = filters.map(([, names]) => names ?? "")
    expect(names.findIndex((name) => name.includes("~@privileged"))).toBeGreaterThan(0)
    expect(names.at(-1)).toBe("@chown")
  })

  it("the runbook runs a command as the service's user, in the service's folder", () => {
    const unit = read("deploy/systemd/job-collector.service")
    const [line = ""] = /systemd-run[\s\S]*?exec node .*/.exec(read("docs/runbook.md")) ?? []
    expect(line).toContain(`-p User=${/^User=(.*)$/m.exec(unit)?.[1]}`)
    expect(unit).toContain("Environment=CONFIG_DIR=%S/job-collector/config")
    expect(line).toContain("-p Environment=CONFIG_DIR=/var/lib/job-collector/config")
  })
})

describe("Docker", () => {
  const lines = read("deploy/docker/Dockerfile").split("\n")

  it("the image's last stage has no shell: nothing there runs one", () => {
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")))
    expect(last[0]).toMatch(/^FROM \$\{RUNTIME_IMAGE\}$/)
    expect(lines).toContainEqual(expect.stringMatching(/^ARG RUNTIME_IMAGE=.*distroless/))
    expect(last.filter((line) => line.startsWith("RUN "))).toEqual([])
    expect(last).toContainEqual(expect.stringMatching(/^USER [1-9]/))
    for (const line of last.filter((text) => /^(ENTRYPOINT|CMD|HEALTHCHECK)/.test(text))) {
      expect(JSON.parse(line.slice(line.indexOf("["))), line).toBeInstanceOf(Array)
    }
  })

  it("what is copied is there, and the ignore file lets it through", () => {
    const allowed = read("deploy/docker/Dockerfile.dockerignore").split("\n")
    const copied = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
      .flatMap((line) =>
        line
          .split(" ")
          .slice(1, -1)
          .filter((part) => !part.startsWith("--"))
      )
    for (const path of copied) {
      expect(globSync(path, { cwd: root }), path).toHaveLength(1)
      expect(allowed, path).toContain(`!${path}`)
    }
  })

  it("Redis keeps every write and evicts nothing", () => {
    const command = listAt(yaml("deploy/docker/compose.yaml")[0], "services", "redis", "command").join(" ")
    expect(command).toContain("--appendonly yes")
    expect(command).toContain("--maxmemory-policy noeviction")
  })

  it("the health check follows the service's answer", async () => {
    let status = 200
    const paths: Array<string | undefined> = []
    const server = createServer((request, response) => {
      paths.push(request.url)
      response.writeHead(status).end()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const check = (...args: ReadonlyArray<string>) =>
      new Promise<number | null>((resolve) => {
        const script = join(root, "deploy/docker/healthcheck.mjs")
        spawn(process.execPath, [script, ...args], { env: { HTTP_PORT: String(port) } }).once("exit", resolve)
      })
    expect(await check()).toBe(0)
    status = 503
    expect(await check("/health/ready")).toBe(1)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(await check()).toBe(1)
    expect(paths).toEqual(["/health/live", "/health/ready"])
  })
})

describe("the workflows", () => {
  const files = globSync(".github/workflows/*.yml", { cwd: root }).sort()
  const jobsOf = (path: string) => Object.entries(at(yaml(path)[0], "jobs") ?? {})
  const stepsOf = (path: string) => jobsOf(path).flatMap(([, job]) => listAt(job, "steps"))
  const commandsOf = (path: string) => stepsOf(path).map((step) => String(at(step, "run") ?? ""))

  it.each(files)(
    "%s names every action by its commit, may write nothing unless a job says so, and ends in time",
    (path) => {
      for (const [, action] of read(path).matchAll(/uses: (.*)/g))
        expect(action).toMatch(/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
      expect(at(yaml(path)[0], "permissions")).toEqual({ contents: "read" })
      for (const [name, job] of jobsOf(path)) expect(at(job, "timeout-minutes"), name).toBeGreaterThan(0)
    }
  )

  it.each(files)("%s runs what any machine runs, and reviews dependencies", (path) => {
    expect(commandsOf(path)).toContain("./.ci/run")
    expect(commandsOf(path)).toContain("npm audit --audit-level=moderate")
    expect(stepsOf(path).map((step) => String(at(step, "uses")))).toContainEqual(
      expect.stringContaining("actions/dependency-review-action@")
    )
  })

  it("a release has provenance, a bill of materials, and images by digest", () => {
    const commands = commandsOf(".github/workflows/release.yml").join("\n")
    expect(commands).toMatch(/npm publish .*--provenance/)
    expect(commands).toContain("dist/sbom.cdx.json")
    const built = [...read("deploy/docker/Dockerfile").matchAll(/^FROM (\S+)/gm)].map(([, image]) => image!)
    for (const image of built) {
      const name = /^\$\{(\w+)\}$/.exec(image)?.[1]
      expect(name, image).toBeDefined()
      expect(commands).toContain(`--build-arg "${name}=$${name}"`)
      expect(read(".github/workflows/release.yml")).toContain(`${name}: \${{ steps.base.outputs.${name} }}`)
    }
  })
})

it("no file of deploy/ holds a key", () => {
  const tracked = execFileSync("git", ["ls-files", "deploy"], { cwd: root, encoding: "utf8" }).trim().split("\n")
  expect(tracked.length).toBeGreaterThan(10)
  for (const path of tracked) expect(read(path), path).not.toMatch(/PRIVATE KEY-----|ED25519_PRIVATE_KEY=/)
})
