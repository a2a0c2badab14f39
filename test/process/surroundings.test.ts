import { spawn } from "node:child_process"
import { once } from "node:events"
import { openSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Redis as IoRedisClient } from "ioredis"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { freePort, RedisServer, waitUntil } from "../support/redis-server.ts"

const entry = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))

/** A command whose standard output, and error if asked, is a full disk. */
const onFullDisk = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>, both: boolean) => {
  const full = openSync("/dev/full", "w")
  const child = spawn(process.execPath, [entry, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", full, both ? full : "pipe"]
  })
  let said = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text
  })
  const ended = once(child, "close").then(([status, signal]) => ({ status, signal, said }))
  return { child, ended }
}

describe("the process in its surroundings", () => {
  let redis: RedisServer
  let api: ReceivingApi
  let client: IoRedisClient

  beforeAll(async () => {
    redis = await RedisServer.start()
    api = await ReceivingApi.start(testKey.public)
    client = new IoRedisClient(redis.url)
  })

  afterAll(async () => {
    client.disconnect()
    await api.close()
    await redis.stop()
  })

  it("the service works on where neither its log nor its errors can be written", async () => {
    const port = await freePort()
    const { child, ended } = onFullDisk(
      ["run"],
      {
        REDIS_URL: redis.url,
        API_BASE_URL: api.url,
        ED25519_PRIVATE_KEY: testKey.private,
        CONFIG_SYNC: "off",
        GROUP_START_ID: "0",
        LOG_LEVEL: "debug",
        HTTP_PORT: `${port}`
      },
      true
    )
    await client.xadd("modelsgateway:events:transcribe", "*", ...transcribeFields("unlogged", Date.now()))
    await waitUntil("the event is delivered", () => api.requests.some(({ eventId }) => eventId === "unlogged"), 60_000)
    assert.strictEqual((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200)
    child.kill("SIGTERM")
    assert.deepInclude(await ended, { status: 0, signal: null })
  }, 120_000)

  it("a command whose output is lost says so and ends with exit 1, without a stack trace", async () => {
    const { status, said } = await onFullDisk(["keygen"], {}, false).ended
    assert.strictEqual(status, 1)
    assert.match(said, /^The output cannot be written: ENOSPC[^\n]*\n$/)
    assert.deepInclude(await onFullDisk(["keygen"], {}, true).ended, { status: 1, signal: null })
  }, 120_000)

  it("a SIGTERM that comes while the program is loaded ends it with exit 0", async () => {
    const hook = `import { registerHooks } from "node:module"
      registerHooks({ load: (url, context, next) => {
        if (url.endsWith("/main.js")) process.kill(process.pid, "SIGTERM")
        return next(url, context)
      } })`
    const options = `--import=data:text/javascript,${encodeURIComponent(hook)}`
    const early = CollectorProcess.start({ NODE_OPTIONS: options, REDIS_URL: redis.url, API_BASE_URL: api.url })
    assert.strictEqual(await early.exit(), 0)
    assert.deepStrictEqual(early.lines, [], "nothing was started")
  }, 120_000)

  it("SIGHUP does not end the service, and SIGUSR1 opens no debugger", async () => {
    const collector = CollectorProcess.start({ REDIS_URL: redis.url, API_BASE_URL: api.url })
    await collector.collecting()
    collector.child.kill("SIGHUP")
    collector.child.kill("SIGUSR1")
    await client.xadd("modelsgateway:events:transcribe", "*", ...transcribeFields("after-signals", Date.now()))
    await waitUntil("it goes on", () => api.requests.some(({ eventId }) => eventId === "after-signals"), 60_000)
    assert.strictEqual(await collector.end("SIGTERM"), 0)
    assert.isFalse(collector.said("Debugger"), collector.lines.join("\n"))
  }, 120_000)
})
