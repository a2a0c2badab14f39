import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { Agent, get } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { GatewayOptions } from "../../src/domain/gatewayConfig/options.ts"
import { withoutSecrets, wordsOfCommand } from "../../src/domain/gatewayConfig/reloadCommand.ts"
import { layer as gatewayLayer } from "../../src/layers/gateway/NodeGateway.ts"
import { makePidFileReload } from "../../src/layers/gateway/pidFile.ts"
import { layer as storeLayer } from "../../src/layers/gatewayConfig/FileConfigStore.ts"
import { layer as httpLayer } from "../../src/layers/http/LeanHttpClient.ts"
import { layer as processesLayer } from "../../src/layers/node/NodeProcesses.ts"
import { tellGateway } from "../../src/programs/gatewayConfig/configReload.ts"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import { Gateway } from "../../src/services/Gateway.ts"
import { Processes, type ProcessFacts } from "../../src/services/Processes.ts"
import * as MemoryFileSystem from "../../src/testing/MemoryFileSystem.ts"
import { SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { SimulatedProcesses } from "../../src/testing/SimulatedProcesses.ts"
import { waitUntil } from "../support/redis-server.ts"
import { bundleOf, installationOf } from "./support/bundles.ts"

const platform = Layer.mergeAll(processesLayer, httpLayer()).pipe(Layer.provideMerge(NodeServices.layer))

let folder: string
const children: Array<ChildProcess> = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "job-collector-gateway-"))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

const start = (program: string, ...args: ReadonlyArray<string>): ChildProcess => {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] })
  children.push(child)
  return child
}

/** What a reload came to. */
const reload = (options: GatewayOptions & { readonly environment?: Record<string, string> }) =>
  Effect.flatMap(Gateway, (gateway) =>
    gateway.reload.pipe(
      Effect.as("told"),
      Effect.catch((error) => Effect.succeed(`${error.reason}: ${error.problem}`))
    )
  ).pipe(Effect.provide(gatewayLayer(options).pipe(Layer.provide(platform))))

const pidFile = (content: string | number): string => {
  const path = join(folder, "gateway.pid")
  writeFileSync(path, `${content}\n`)
  return path
}

describe("GATEWAY_PID_FILE", () => {
  it.live("must be there, hold one integer of at least 1, and not be our own", () =>
    Effect.gen(function* () {
      assert.include(yield* reload({ pidFile: join(folder, "none") }), "NoProcess")
      for (const content of ["", "abc", "0", "-1", "1.5", "12 13", "0x10", "99999999999"]) {
        assert.include(yield* reload({ pidFile: pidFile(content) }), "one integer", content)
      }
      assert.include(yield* reload({ pidFile: pidFile(process.pid) }), "this process itself")
    })
  )

  it.live("must be a regular file: reading a pipe that nobody writes to would never end", () =>
    Effect.gen(function* () {
      const pipe = join(folder, "pipe")
      execFileSync("mkfifo", [pipe])
      assert.include(yield* reload({ pidFile: pipe }), "not a regular file")
    })
  )

  it.live("must name a live process", () =>
    Effect.gen(function* () {
      const child = start("true")
      const ended = once(child, "exit")
      yield* Effect.promise(() => ended)
      assert.include(yield* reload({ pidFile: pidFile(child.pid ?? 0) }), "no live process")
    })
  )

  it.live("must not be older than the process: its pid was given out again", () =>
    Effect.gen(function* () {
      const child = start("sleep", "100")
      const path = pidFile(child.pid ?? 0)
      utimesSync(path, Date.now() / 1_000 - 60, Date.now() / 1_000 - 60)
      assert.include(yield* reload({ pidFile: path }), "earlier process")
    })
  )

  it.live("is not signalled while it has no handler, which would end it", () =>
    Effect.gen(function* () {
      const child = start("sleep", "100")
      assert.include(yield* reload({ pidFile: pidFile(child.pid ?? 0) }), "NotReady")
      assert.strictEqual(child.exitCode ?? child.signalCode, null)
    })
  )

  it.effect("names the same process after the clock was set, and another after its pid was given out again", () =>
    Effect.gen(function* () {
      const disk = new SimulatedDisk()
      const file = disk.createFile("/gateway.pid", 0o644, true, 5_000)
      disk.write("/gateway.pid", file, 0, new TextEncoder().encode("4711"), 5_000)
      const living = new Map<number, ProcessFacts>()
      const gateway = { startTime: "480", startedAt: 4_800, signalable: true, handlesHangUp: true }
      living.set(4711, gateway)
      const processes = new SimulatedProcesses({}, living)
      yield* Effect.gen(function* () {
        const { reload } = makePidFileReload(yield* FileSystem.FileSystem, yield* Processes, "/gateway.pid")
        yield* reload
        for (const step of [3 * 3_600_000, -3 * 3_600_000]) {
          living.set(4711, { ...gateway, startedAt: gateway.startedAt + step })
          yield* reload
        }
        assert.deepStrictEqual(processes.hungUp, [4711, 4711, 4711])
        // Not even where the clock, set back, makes it look older than the file.
        living.set(4711, { ...gateway, startTime: "999", startedAt: 1 })
        assert.include((yield* Effect.flip(reload)).problem, "earlier process")
        file.mtime = 7_000
        yield* reload
      }).pipe(Effect.provide(Layer.merge(MemoryFileSystem.layerDisk(disk), processes.layer)))
    })
  )

  it.live("of another user's process is refused before it is told, and by a look at it too", () =>
    Effect.gen(function* () {
      const child = start("sh", "-c", "trap : HUP; echo ready; while :; do sleep 0.05; done")
      yield* Effect.promise(() => once(child.stdout ?? child, "data"))
      const { pid = 0 } = child
      const path = pidFile(pid)
      const refused = yield* Effect.gen(function* () {
        const { reachable } = makePidFileReload(yield* FileSystem.FileSystem, yield* Processes, path)
        // As a user who may not signal it, where this test runs as one who may.
        const { kill } = process
        process.kill = () => {
          throw Object.assign(new Error("kill EPERM"), { code: "EPERM" })
        }
        return yield* Effect.flip(reachable).pipe(Effect.ensuring(Effect.sync(() => Object.assign(process, { kill }))))
      }).pipe(Effect.provide(platform))
      assert.include(refused.problem, `process ${pid} is of another user`)
      assert.include(refused.problem, "GATEWAY_RELOAD_COMMAND")
    })
  )

  it.live("is looked at without a signal", () =>
    Effect.gen(function* () {
      const child = start("sh", "-c", "trap 'exit 3' HUP; echo ready; while :; do sleep 0.05; done")
      yield* Effect.promise(() => once(child.stdout ?? child, "data"))
      const options = { pidFile: pidFile(child.pid ?? 0) }
      const look = Effect.flatMap(Gateway, (gateway) => gateway.reachable)
      yield* Effect.provide(look, gatewayLayer(options).pipe(Layer.provide(platform)))
      assert.strictEqual(child.exitCode ?? child.signalCode, null)
      const ended = once(child, "exit")
      assert.strictEqual(yield* reload(options), "told")
      const [code] = yield* Effect.promise(() => ended)
      assert.strictEqual(code, 3, "the reload signals it, and was its first signal")
    })
  )

  it.live("knows itself: host, boot, pid and start", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const found = yield* processes.find(process.pid)
      assert.strictEqual(processes.self.startTime, found?.startTime)
      assert.match(processes.self.bootId ?? "", /^[0-9a-f-]{36}$/)
      assert.closeTo(found?.startedAt ?? 0, Date.now() - process.uptime() * 1_000, 15_000)
    }).pipe(Effect.provide(platform))
  )
})

describe("GATEWAY_RELOAD_COMMAND", () => {
  it("is words between spaces, or a JSON array", () => {
    assert.deepStrictEqual(wordsOfCommand("  systemctl  reload gateway "), ["systemctl", "reload", "gateway"])
    assert.deepStrictEqual(wordsOfCommand('["a b", "c"]'), ["a b", "c"])
    assert.deepStrictEqual(wordsOfCommand(`sh -c "x; y"`), ["sh", "-c", `"x;`, `y"`])
    for (const text of ["", "  ", "[]", "[1]", '[""]', "[oops"]) assert.strictEqual(wordsOfCommand(text), undefined)
  })

  it("sees an environment without our secrets", () => {
    assert.deepStrictEqual(
      withoutSecrets({
        PATH: "/bin",
        ED25519_PRIVATE_KEY: "x",
        ED25519_PRIVATE_KEY_FILE: "x",
        REDIS_URL: "redis://:secret@h",
        REDIS_PASSWORD_FILE: "x",
        API_BASE_URL: "http://u:p@h",
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=x",
        GATEWAY_STATUS_URL: "http://u:p@h",
        CONFIG_DIR: "/config"
      }),
      { PATH: "/bin", CONFIG_DIR: "/config" }
    )
  })

  it.live("runs without a shell", () =>
    Effect.gen(function* () {
      const out = join(folder, "out")
      const script = `require("fs").writeFileSync(process.argv[1], JSON.stringify([process.argv.slice(2), process.env]))`
      const command = JSON.stringify([process.execPath, "-e", script, out, "$HOME", "; touch x", "`id`"])
      const environment = { PATH: process.env.PATH ?? "", ED25519_PRIVATE_KEY: "secret", COLOUR: "blue" }
      assert.strictEqual(yield* reload({ reloadCommand: command, environment }), "told")
      const [args, env] = JSON.parse(readFileSync(out, "utf8"))
      assert.deepStrictEqual(args, ["$HOME", "; touch x", "`id`"])
      assert.strictEqual(env.COLOUR, "blue")
      assert.isUndefined(env.ED25519_PRIVATE_KEY)
    })
  )

  it.live("that fails or is not there is a failed reload", () =>
    Effect.gen(function* () {
      const environment = { PATH: process.env.PATH ?? "" }
      assert.include(yield* reload({ reloadCommand: "false", environment }), "false exited with 1")
      assert.include(yield* reload({ reloadCommand: "/no/such/program --token x", environment }), "could not be run")
      const killed = JSON.stringify(["sh", "-c", "kill -9 $$"])
      assert.include(yield* reload({ reloadCommand: killed, environment }), "sh was ended by a signal")
      assert.notInclude(yield* reload({ reloadCommand: "/no/such/program --token x", environment }), "token")
    })
  )

  it.effect("is ended after 30 s", () =>
    Effect.gen(function* () {
      const mark = join(folder, "mark")
      const script = `require("fs").writeFileSync(process.argv[1], String(process.pid)); setInterval(() => {}, 1000)`
      const reloadCommand = JSON.stringify([process.execPath, "-e", script, mark])
      const fiber = yield* Effect.forkChild(reload({ reloadCommand, environment: { PATH: process.env.PATH ?? "" } }))
      yield* Effect.promise(() =>
        waitUntil("the command runs", () => existsSync(mark) && readFileSync(mark, "utf8") !== "")
      )
      yield* TestClock.adjust("30 seconds")
      assert.include(yield* Fiber.join(fiber), "more than 30 s")
      const pid = Number(readFileSync(mark, "utf8"))
      yield* Effect.promise(() =>
        waitUntil("it has ended", () => {
          try {
            process.kill(pid, 0)
            return false
          } catch {
            return true
          }
        })
      )
    })
  )
})

describe("the gateway's version", () => {
  const running = (options: GatewayOptions) =>
    Effect.flatMap(Gateway, (gateway) =>
      Effect.catch(gateway.runningVersion, (error) => Effect.succeed(error.problem))
    ).pipe(Effect.provide(gatewayLayer(options).pipe(Layer.provide(platform))))

  it.live("is read from a file", () =>
    Effect.gen(function* () {
      const statusFile = join(folder, "status.json")
      assert.include(yield* running({ statusFile }), "cannot be read")
      assert.include(yield* running({ statusFile: "/dev/zero" }), "not a regular file")
      writeFileSync(statusFile, '{"version": "42"}')
      assert.include(yield* running({ statusFile }), "is not")
      writeFileSync(statusFile, '{"version": 42, "since": 1}')
      assert.strictEqual(yield* running({ statusFile }), 42)
    })
  )

  it.live("at a URL that nobody serves is no version, and the URL's password is not shown", () =>
    Effect.gen(function* () {
      const problem = yield* running({ statusUrl: "http://user:hunter2@127.0.0.1:9/status" })
      assert.include(problem, "cannot be asked")
      assert.notInclude(problem, "hunter2")
    })
  )
})

describe("a real gateway that handles SIGHUP while it serves", () => {
  it.live(
    "drops no request over 100 reloads, each taken up",
    () =>
      Effect.gen(function* () {
        const script = fileURLToPath(new URL("./support/gateway.ts", import.meta.url))
        const directory = join(folder, "config")
        const path = join(folder, "gateway.pid")
        const stores = storeLayer({ directory }).pipe(Layer.provideMerge(platform))
        yield* Effect.gen(function* () {
          const store = yield* ConfigStore
          yield* store.locked(store.install(installationOf(bundleOf(1))))
          const child = start(process.execPath, script, directory, path)
          const [port] = yield* Effect.promise(() => once(child.stdout as NodeJS.ReadableStream, "data"))
          const statusUrl = `http://127.0.0.1:${Number(port)}/status`
          const agent = new Agent({ keepAlive: true })
          const requests = { answered: 0, failed: 0 }
          let going = true
          const ask = (): Promise<void> =>
            new Promise((resolve) => {
              get(statusUrl, { agent }, (response) => {
                response.resume()
                response.once("end", () => {
                  requests.answered += 1
                  setTimeout(() => resolve(going ? ask() : undefined), 2)
                })
              }).once("error", () => {
                requests.failed += 1
                resolve(going ? ask() : undefined)
              })
            })
          const clients = [ask(), ask(), ask(), ask()]
          const gateway = yield* Effect.provide(Gateway, gatewayLayer({ pidFile: path, statusUrl }))
          for (let version = 2; version <= 101; version++) {
            yield* store.locked(store.install(installationOf(bundleOf(version))))
            const reloaded = yield* tellGateway(store, gateway)
            assert.strictEqual(reloaded._tag === "Told" ? reloaded.outcome : JSON.stringify(reloaded), "applied")
          }
          going = false
          yield* Effect.promise(() => Promise.all(clients))
          agent.destroy()
          assert.strictEqual(requests.failed, 0)
          assert.isAbove(requests.answered, 500)
          assert.strictEqual(child.exitCode ?? child.signalCode, null)
        }).pipe(Effect.provide(stores))
      }),
    120_000
  )
})
