import { execFileSync, spawn, spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Redis as IoRedis } from "ioredis"
import { describe, expect, it } from "vitest"
import { at, listAt, read, root, settingNames, yaml } from "../support/deploy-files.ts"
import { ensureRedisServer } from "../support/redis-binary.ts"
import { freePort, waitUntil } from "../support/redis-server.ts"

describe("settings", () => {
  const variables = settingNames()
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
    ["deploy/systemd/job-collector-console.env", assigned(read("deploy/systemd/job-collector-console.env"))],
    [
      "deploy/systemd/job-collector-console.service",
      assigned(read("deploy/systemd/job-collector-console.service").replaceAll(/^Environment=/gm, ""))
    ],
    ["deploy/docker/collector.env", assigned(read("deploy/docker/collector.env"))],
    ["deploy/docker/Dockerfile", assigned(dockerEnv.join("\n")).filter((name) => name !== "NODE_ENV")],
    [
      "deploy/docker/compose.yaml (console)",
      Object.keys(at(yaml("deploy/docker/compose.yaml")[0], "services", "console", "environment") ?? {})
    ],
    ["deploy/docker/compose.yaml", Object.keys(at(collector, "environment") ?? {})],
    ["deploy/kubernetes/settings.env", assigned(read("deploy/kubernetes/settings.env"))],
    ["deploy/kubernetes/statefulset.yaml", listAt(container, "env").map((entry) => String(at(entry, "name")))]
  ]

  it.each(used)("%s sets only variables that the service reads", (_, names) => {
    expect(variables.size).toBeGreaterThan(40)
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => !variables.has(name))).toEqual([])
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

  const units = ["deploy/systemd/job-collector.service", "deploy/systemd/job-collector-console.service"]

  it.skipIf(!verifier).each(units)("%s is a unit that systemd understands", (unit) => {
    const verified = spawnSync("systemd-analyze", ["verify", unit], { cwd: root, encoding: "utf8" })
    // Where /usr/bin/node is absent systemd says so of any unit; that is the machine's matter.
    const complaints = verified.stderr.split("\n").filter((line) => line !== "" && !line.includes("not executable"))
    expect(complaints).toEqual([])
  })

  it.skipIf(!verifier).each(units)("%s leaves its process little: an exposure of 1.6 at most", (file) => {
    const judged = spawnSync("systemd-analyze", ["security", "--offline=true", "--no-pager", "--threshold=16", file], {
      cwd: root,
      encoding: "utf8"
    })
    expect(judged.status, judged.stdout + judged.stderr).toBe(0)
  })

  it("the unit keeps the key out of core dumps and debuggers", () => {
    for (const unit of units.map(read)) {
      expect(unit).toMatch(/^LimitCORE=0$/m)
      expect(unit).toMatch(/^ExecStart=\S+ --disable-sigusr1 /m)
    }
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
  const compose = yaml("deploy/docker/compose.yaml")[0]
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
    const command = listAt(compose, "services", "redis", "command").join(" ")
    expect(command).toContain("--appendonly yes")
    expect(command).toContain("--maxmemory-policy noeviction")
  })

  it("Redis asks for the password that stands in its secret's file", async () => {
    const [shell = "", flags = "", script = ""] = listAt(compose, "services", "redis", "command").map(String)
    const folder = await mkdtemp(join(tmpdir(), "compose-redis-"))
    await writeFile(join(folder, "password"), "s3cret\n")
    const port = await freePort()
    const command = script
      .replaceAll("$$", "$")
      .replace("/run/secrets/redis_password", join(folder, "password"))
      .replace("valkey-server -", `${ensureRedisServer()} - --port ${port} --dir ${folder}`)
    const server = spawn(shell, [flags, command], { stdio: "ignore" })
    try {
      const asked = async (password?: string) => {
        const own = password === undefined ? {} : { password }
        const client = new IoRedis({ port, ...own, retryStrategy: () => null, disableClientInfo: true })
        client.on("error", () => {})
        try {
          return await client.ping().then(String, String)
        } finally {
          client.disconnect()
        }
      }
      await waitUntil("it answers", async () => (await asked("s3cret")) === "PONG")
      expect(await asked()).not.toBe("PONG")
      expect(await asked("wrong")).not.toBe("PONG")
      // The shell has become the server: what stops the container stops that.
      const ended = new Promise((resolve) => server.once("exit", resolve))
      server.kill("SIGTERM")
      expect(await ended).toBe(0)
    } finally {
      server.kill("SIGKILL")
      await rm(folder, { recursive: true })
    }
  })

  it("the console is on the loopback interface, asks for tokens, and has no key", () => {
    const console = at(compose, "services", "console")
    expect(listAt(console, "ports")).toEqual(["127.0.0.1:9465:9465"])
    expect(at(console, "environment", "CONSOLE_ACT_TOKEN_FILE")).toBe("/run/secrets/console_tokens")
    expect(listAt(console, "secrets")).toEqual(["redis_password", "console_tokens"])
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

  it.each([".github/workflows/ci.yml", ".github/workflows/release.yml"])(
    "%s judges the code: it runs what any machine runs, and reviews dependencies",
    (path) => {
      expect(commandsOf(path)).toContain("./.ci/run")
      expect(commandsOf(path)).toContain("npm audit --audit-level=moderate")
      expect(stepsOf(path).map((step) => String(at(step, "uses")))).toContainEqual(
        expect.stringContaining("actions/dependency-review-action@")
      )
    }
  )

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
