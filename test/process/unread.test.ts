import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { Redis } from "ioredis"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { abandoned as abandonedKey, transcribe } from "../support/streams.ts"

const entry = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))

let redis: RedisServer
let client: Redis

beforeEach(async () => {
  redis = await RedisServer.start()
  client = new Redis(redis.url)
})
afterEach(async () => {
  client.disconnect()
  await redis.stop()
})

describe("output that nobody reads to its end", () => {
  it("stops a command without a word", async () => {
    const adding = client.pipeline()
    for (let i = 0; i < 20_000; i++) adding.xadd(abandonedKey, "*", "what", "does not decode")
    await adding.exec()
    const child = spawn(process.execPath, [entry, "abandoned", "list"], {
      env: { PATH: process.env.PATH, REDIS_URL: redis.url },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
    const end = once(child, "close")
    await once(child.stdout, "data")
    child.stdout.destroy()
    const [code] = await end
    expect(said).toBe("")
    expect(code).toBe(0)
  })

  it("does not stop the service", async () => {
    const api = await ReceivingApi.start(testKey.public)
    const collector = CollectorProcess.start({ REDIS_URL: redis.url, API_BASE_URL: api.url })
    await collector.collecting()
    collector.child.stdout?.destroy()
    for (const user_id of ["", "", "user-1"]) {
      await client.xadd(transcribe, "*", ...transcribeFields("e-1", Date.now(), { user_id }))
    }
    await waitUntil(
      "all is worked on",
      async () => (await client.xlen(abandonedKey)) === 2 && api.requests.length === 1
    )
    expect(await collector.end("SIGTERM")).toBe(0)
    await api.close()
  })
})
