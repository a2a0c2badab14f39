import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { bundleOf } from "../gatewayConfig/support/bundles.ts"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"

let redis: RedisServer
let api: ReceivingApi
let folder: string
const children: Array<ChildProcess> = []

beforeEach(async () => {
  redis = await RedisServer.start()
  api = await ReceivingApi.start(testKey.public)
  folder = mkdtempSync(join(tmpdir(), "job-collector-health-"))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  await api.close()
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

const serve = (version: number) => {
  api.answerPoll = () => ({ status: 200, body: bundleOf(version) })
}

const start = (settings: Record<string, string> = {}): CollectorProcess => {
  const collector = CollectorProcess.start({
    REDIS_URL: redis.url,
    API_BASE_URL: api.url,
    CONFIG_SYNC: "on",
    CONFIG_SYNC_INTERVAL: "200 millis",
    CONFIG_DIR: join(folder, "config"),
    HEALTH_INTERVAL: "200 millis",
    ...settings
  })
  children.push(collector.child)
  return collector
}

const checked = async (collector: CollectorProcess, what: string, expected: object): Promise<void> => {
  let last: unknown
  const fits = async () => {
    last = await collector.json("/health")
    try {
      expect(last).toMatchObject(expected)
      return true
    } catch {
      return false
    }
  }
  await waitUntil(what, fits, 40_000).catch((error) => {
    throw new Error(`${error.message}; health was ${JSON.stringify(last)}`)
  })
}

describe("health of the configuration, on the service itself", () => {
  it("refused twice: degraded and still 200, naming the remedy; ok with a version that is taken", async () => {
    serve(2)
    const collector = start()
    await checked(collector, "version 2 is installed", { status: "ok", checks: { config_sync: { version: 2 } } })
    serve(1)
    await checked(collector, "refused", {
      status: "degraded",
      checks: {
        config_sync: { status: "degraded", version: 2, problem: expect.stringContaining("config accept 1") },
        gateway: { status: "off" },
        redis: { status: "ok" }
      }
    })
    expect(await collector.status("/health")).toBe(200)
    expect(await collector.status("/health/ready")).toBe(200)
    expect(collector.lines.filter((line) => line.includes("GATEWAY_RELOAD_COMMAND"))).toHaveLength(1)
    serve(3)
    await checked(collector, "version 3 is installed", { status: "ok", checks: { config_sync: { version: 3 } } })
    expect(await collector.end("SIGTERM")).toBe(0)
  }, 180_000)

  it("a gateway that is gone: degraded, naming it; ok when one is there again and was told", async () => {
    const pidFile = join(folder, "gateway.pid")
    const directory = join(folder, "config")
    const gatewayScript = fileURLToPath(new URL("../gatewayConfig/support/gateway.ts", import.meta.url))
    const gateway = async () => {
      const child = spawn(process.execPath, [gatewayScript, directory, pidFile], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      children.push(child)
      await once(child.stdout!, "data")
      return child
    }
    const first = await gateway()
    serve(1)
    const collector = start({ GATEWAY_PID_FILE: pidFile })
    const well = (version: number) => ({
      status: "ok",
      checks: { config_sync: { version }, gateway: { status: "ok", pending_reload: false } }
    })
    await checked(collector, "told", well(1))
    expect(existsSync(join(directory, "models.conf"))).toBe(true)
    const gone = once(first, "exit")
    first.kill("SIGKILL")
    await gone
    serve(2)
    await checked(collector, "gone", {
      status: "degraded",
      checks: {
        config_sync: { version: 2 },
        gateway: { status: "degraded", pending_reload: true, problem: expect.stringContaining("no live process") }
      }
    })
    await gateway()
    await checked(collector, "told again", {
      status: "ok",
      checks: { gateway: { status: "ok", pending_reload: false } }
    })
    expect(await collector.end("SIGTERM")).toBe(0)
  }, 180_000)

  it("a public key of another pair ends the start with one line, and exit 1", async () => {
    const other = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    const collector = start({ ED25519_PUBLIC_KEY: other })
    expect(await collector.exit()).toBe(1)
    expect(collector.said("ED25519_PUBLIC_KEY: the public key does not belong to the private key")).toBe(true)
    expect(collector.said("    at ")).toBe(false)
    expect(collector.said(testKey.private)).toBe(false)
  }, 180_000)
})
