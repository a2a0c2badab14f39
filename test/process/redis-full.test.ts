/** A Redis past its memory limit: it refuses what takes more memory, and everything else goes on. */
import { Redis as IoRedis } from "ioredis"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { commandLine } from "../support/command-line.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"

const stream = (role: string) => `modelsgateway:events:${role}`
const good = 50
const bad = 100

describe("a full Redis", () => {
  let redis: RedisServer
  let admin: IoRedis
  let api: ReceivingApi
  beforeAll(async () => {
    redis = await RedisServer.start(["--maxmemory", "20mb", "--maxmemory-policy", "noeviction", "--appendonly", "yes"])
    admin = new IoRedis(redis.url)
    api = await ReceivingApi.start(testKey.public)
  })
  afterAll(async () => {
    admin.disconnect()
    await api.close()
    await redis.stop()
  })

  it("refuses only the moves: good events are delivered, and health, metrics and check say so", async () => {
    const now = Date.now()
    for (let n = 0; n < bad; n++) {
      await admin.xadd(stream("transcribe"), "*", ...transcribeFields(`bad-${n}`, now, { audio_seconds: "-1" }))
    }
    for (let n = 0; n < good; n++) {
      await admin.xadd(stream("transcribe"), "*", ...transcribeFields(`good-${n}`, now))
    }
    for (const role of ["transcribe", "process", "dlq"]) {
      await admin.xgroup("CREATE", stream(role), "job-collector-group", "0", "MKSTREAM")
    }
    const filler = "x".repeat(100_000)
    await expect(
      (async () => {
        for (let n = 0; n < 1_000; n++) await admin.set(`filler-${n}`, filler)
      })()
    ).rejects.toThrow(/OOM/)
    await admin.config("SET", "maxmemory", "10mb")

    const settings = { REDIS_URL: redis.url, API_BASE_URL: api.url, HEALTH_INTERVAL: "1 second" }
    const collector = CollectorProcess.start({ ...settings, DELIVERY_CONCURRENCY: "16" })
    try {
      await waitUntil("the good events are acknowledged", async () => {
        const metrics = (await collector.text("/metrics")) ?? ""
        return metrics.includes(`job_collector_deliveries_total{stream="transcribe",outcome="delivered"} ${good}`)
      })
      await waitUntil("health tells of it", async () => {
        const health = JSON.stringify(await collector.json("/health"))
        return health.includes('"status":"degraded"') && health.includes("OOM")
      })
      expect(await collector.status("/health/ready")).toBe(200)
      expect(await collector.text("/metrics")).toMatch(/moves_refused_total\{reason="out_of_memory"\} [1-9]/)
      expect(collector.logged("move.refused").length).toBeGreaterThan(0)
      expect(collector.logged("move.refused")[0]).toContain(stream("abandoned"))
      const checked = await commandLine(
        { ...settings, ED25519_PRIVATE_KEY: testKey.private, CONFIG_SYNC: "off" },
        "check"
      )
      expect(checked.ok).toBe(false)
      expect(checked.out.join("\n")).toMatch(/✗ redis memory: \d+ % of maxmemory is used/)

      await admin.config("SET", "maxmemory", "100mb")
      await waitUntil(
        "the bad events are abandoned",
        async () => (await admin.xlen(stream("abandoned"))) === bad,
        60_000
      )
      await waitUntil("health is well again", async () =>
        JSON.stringify(await collector.json("/health")).startsWith('{"status":"ok"')
      )
      expect(await collector.end("SIGTERM")).toBe(0)
    } finally {
      collector.child.kill("SIGKILL")
    }
  })
})
