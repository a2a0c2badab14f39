import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, it } from "vitest"
import { kustomizeFiles } from "../../scripts/chart/kustomize.ts"
import { renderChart } from "../../scripts/chart/render.ts"
import { at, documents, listAt, read, root, settingNames, yaml } from "../support/deploy-files.ts"

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
    const own = listed.filter((path) => path !== "../grafana")
    expect([...own, "kustomization.yaml"].sort()).toEqual(files.map((path) => basename(path)))
    expect(own).toHaveLength(listed.length - 1)
  })

  it("the manifests are those of the chart: `npm run manifests` changes nothing", () => {
    for (const [name, text] of kustomizeFiles()) expect(read(`deploy/kubernetes/${name}`), name).toBe(text)
  })

  it("changed settings roll out: they stand in a ConfigMap whose name says what is in it", () => {
    const [made] = listAt(yaml("deploy/kubernetes/kustomization.yaml")[0], "configMapGenerator")
    expect(made).toEqual({ name: "job-collector", envs: ["settings.env"] })
    expect(at(container, "envFrom", 0, "configMapRef", "name")).toBe("job-collector")
  })

  const kustomize = ["kubectl", "kustomize"].find((program) => spawnSync(program, ["version", "--client"]).status === 0)

  it.skipIf(kustomize === undefined)("kustomize puts them together", () => {
    const args = [...(kustomize === "kubectl" ? ["kustomize"] : ["build"]), join(root, "deploy/kubernetes")]
    const built = spawnSync(kustomize ?? "", args, { encoding: "utf8", maxBuffer: 2 ** 26 })
    expect(built.status, built.stderr).toBe(0)
    const all = documents(built.stdout)
    const names = all.filter((one) => at(one, "kind") === "ConfigMap").map((one) => at(one, "metadata", "name"))
    expect(names.sort()).toEqual([expect.stringMatching(/^job-collector-[a-z0-9]{10}$/), "job-collector-dashboard"])
    const set = all.find((one) => at(one, "kind") === "StatefulSet")
    expect(names).toContain(at(set, "spec", "template", "spec", "containers", 0, "envFrom", 0, "configMapRef", "name"))
  })

  it("the probes are the service's paths on its port, and the name is the pod's", () => {
    expect(at(container, "livenessProbe", "httpGet", "path")).toBe("/health/live")
    expect(at(container, "startupProbe", "httpGet", "path")).toBe("/health/live")
    expect(at(container, "readinessProbe", "httpGet", "path")).toBe("/health/ready")
    const settings = read("deploy/kubernetes/settings.env").split("\n")
    expect(settings).toContain(`HTTP_PORT=${at(container, "ports", 0, "containerPort")}`)
    expect(settings).toContain("HTTP_HOST=0.0.0.0")
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

  const scaler = yaml("deploy/kubernetes/scaledobject.yaml")[0]
  const triggers = listAt(scaler, "spec", "triggers")
  const ofType = (type: string) => triggers.filter((trigger) => at(trigger, "type") === type)

  it("the scaler follows the streams and the group of the settings", () => {
    const streams = ofType("redis-streams")
    expect(streams.map((trigger) => at(trigger, "metadata", "stream"))).toEqual(
      ["transcribe", "process", "dlq"].map((name) => `modelsgateway:events:${name}`)
    )
    for (const trigger of streams) expect(at(trigger, "metadata", "consumerGroup")).toBe("job-collector-group")
  })

  it("nothing is scaled out while a circuit is open", () => {
    const modifiers = at(scaler, "spec", "advanced", "scalingModifiers")
    const names = triggers.map((trigger) => String(at(trigger, "name")))
    expect(at(modifiers, "target")).toBe("1")
    expect(at(modifiers, "metricType")).toBe("AverageValue")
    const formula = String(at(modifiers, "formula")).replace("max([", "Math.max(...[")
    /** As KEDA does with an average of 1: so many replicas. */
    const wanted = (figures: Readonly<Record<string, number>>): number =>
      Math.ceil(new Function(...names, `return ${formula}`)(...names.map((name) => figures[name] ?? 0)))
    const backlog = { running: 2, transcribe: 7_500, process: 0, retries: 0 }
    expect(wanted({ ...backlog, circuit: 0 })).toBe(8)
    expect(wanted({ ...backlog, circuit: 1 })).toBe(2)
    expect(wanted({ ...backlog, transcribe: 0, retries: 25_000 })).toBe(3)
    const queries = ofType("prometheus").map((trigger) => String(at(trigger, "metadata", "query")))
    expect(queries).toEqual(["max(job_collector_circuit_open)", "count(job_collector_circuit_open)"])
  })
})

describe("the chart", () => {
  const rendered = (values: unknown, file: string) => documents(renderChart(values).get(file) ?? "")
  const podOf = (values: unknown, file = "statefulset.yaml") =>
    rendered(values, file)
      .map((one) => at(one, "spec", "template"))
      .find((template) => template !== undefined)
  const imageOf = (values: unknown) => at(podOf(values), "spec", "containers", 0, "image")
  const every = { console: { enabled: true }, secrets: { alertWebhook: { name: "hook" } } }

  it("renders whole objects, each once", () => {
    const objects = [...renderChart(every).values()].flatMap(documents)
    const names = objects.map((one) => `${at(one, "kind")} ${at(one, "metadata", "name")}`)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(
      expect.arrayContaining([
        "StatefulSet job-collector",
        "Deployment job-collector-console",
        "PrometheusRule job-collector",
        "ConfigMap job-collector-dashboard"
      ])
    )
    expect(names.filter((name) => name.startsWith("Ingress"))).toEqual([])
  })

  it("runs an image by tag, and by digest where one is given", () => {
    expect(imageOf({})).toBe(`job-collector:${JSON.parse(read("package.json")).version}`)
    expect(imageOf({ image: { repository: "r.example/jc", tag: "1.2.3", digest: "sha256:abc" } })).toBe(
      "r.example/jc:1.2.3@sha256:abc"
    )
  })

  it("a changed URL is another pod, of the console too; a changed number of replicas is none", () => {
    const other = { ...every, settings: { API_BASE_URL: "https://other.example.com" } }
    for (const file of ["statefulset.yaml", "console.yaml"]) {
      const sum = (values: unknown) => at(podOf(values, file), "metadata", "annotations", "checksum/settings")
      expect(sum(every)).toMatch(/^[0-9a-f]{64}$/)
      expect(sum(other)).not.toBe(sum(every))
      expect(sum({ ...every, replicas: 5 })).toBe(sum(every))
    }
    expect(at(rendered(other, "configmap.yaml")[0], "data", "API_BASE_URL")).toBe("https://other.example.com")
  })

  it("names secrets, and holds none", () => {
    const secret = (values: unknown) =>
      listAt(podOf(values), "spec", "containers", 0, "env").find((one) => at(one, "name") === "ALERT_WEBHOOK_URL")
    expect(secret({})).toBeUndefined()
    expect(at(secret(every), "valueFrom", "secretKeyRef")).toEqual({ name: "hook", key: "url" })
    expect([...renderChart(every).values()].flatMap(documents).map((one) => at(one, "kind"))).not.toContain("Secret")
  })

  it("sets only variables that the service reads", () => {
    const used = [podOf(every), podOf(every, "console.yaml")].flatMap((pod) =>
      listAt(pod, "spec", "containers", 0, "env").map((one) => String(at(one, "name")))
    )
    const settings = Object.keys(at(rendered({}, "configmap.yaml")[0], "data") ?? {})
    const known = settingNames()
    expect([...used, ...settings].filter((name) => !known.has(name))).toEqual([])
  })

  it("the console asks for tokens and is called by its Service's name", () => {
    const env = listAt(podOf(every, "console.yaml"), "spec", "containers", 0, "env")
    const valueOf = (name: string) =>
      at(
        env.find((one) => at(one, "name") === name),
        "value"
      )
    expect(valueOf("CONSOLE_ACT_TOKEN_FILE")).toBe("/var/run/secrets/console/act")
    expect(valueOf("CONSOLE_ALLOWED_HOSTS")).toBe("job-collector-console")
    expect(env.filter((one) => String(at(one, "name")).startsWith("ED25519"))).toEqual([])
  })

  it("leaves out what is switched off", () => {
    const off = { enabled: false }
    const values = {
      podDisruptionBudget: off,
      networkPolicy: off,
      podMonitor: off,
      prometheusRule: off,
      dashboard: off,
      autoscaling: off
    }
    expect([...renderChart(values).keys()]).toEqual(["configmap.yaml", "service.yaml", "statefulset.yaml"])
  })

  it("has the rules and the dashboard of their own files", () => {
    expect(at(rendered({}, "prometheusrule.yaml")[0], "spec")).toEqual(yaml("deploy/prometheus/alerts.yml")[0])
    expect(JSON.parse(String(at(rendered({}, "dashboard.yaml")[0], "data", "job-collector.json")))).toEqual(
      JSON.parse(read("deploy/grafana/job-collector.json"))
    )
  })

  const helm = spawnSync("helm", ["version"]).status === 0

  it.skipIf(!helm)("helm finds nothing wrong with it", () => {
    for (const command of ["lint", "template"]) {
      const checked = spawnSync("helm", [command, join(root, "deploy/helm/job-collector")], { encoding: "utf8" })
      expect(checked.status, checked.stdout + checked.stderr).toBe(0)
    }
  })
})
