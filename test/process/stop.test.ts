import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Redis as IoRedisClient } from "ioredis"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { freePort, RedisServer, waitUntil } from "../support/redis-server.ts"
import { dlq, group, transcribe as stream } from "../support/streams.ts"

describe("the service as a process", () => {
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

  it("SIGTERM under load: exit 0 in time, nothing delivered is left pending, the rest is free at once", async () => {
    const count = 5_000
    api.answer = () => ({ status: 200, delay: 20, body: { job_id: "j", credits_deducted: 58 } })
    await client.xgroup("CREATE", stream, group, "0", "MKSTREAM")
    const settings = { REDIS_URL: redis.url, API_BASE_URL: api.url, CONSUMER_NAME: "first" }
    const first = CollectorProcess.start({ ...settings, SHUTDOWN_TIMEOUT: "20 seconds" })
    await first.collecting()
    for (let i = 0; i < count; i++) void client.xadd(stream, "*", ...transcribeFields(`evt-${i}`, Date.now()))
    await waitUntil("it is in full swing", () => api.requests.length > 500)
    const asked = performance.now()
    assert.strictEqual(await first.end("SIGTERM"), 0, first.lines.join("\n"))
    assert.isBelow(performance.now() - asked, 20_000)
    const delivered = new Set(api.requests.map(({ eventId }) => eventId))
    assert.strictEqual(delivered.size, api.requests.length, "nothing was sent twice")
    const [pending] = (await client.xpending(stream, group)) as [number]
    const { acknowledged } = await tally(client)
    assert.strictEqual(acknowledged, delivered.size, "what was delivered is acknowledged, and nothing else")
    assert.strictEqual(pending, 0, "what was in flight was finished")
    assert.strictEqual(await client.xlen(dlq), 0)

    const second = CollectorProcess.start({ ...settings, CONSUMER_NAME: "second" })
    await waitUntil("the next replica delivers the rest", () => api.requests.length === count, 90_000)
    assert.strictEqual(await second.end("SIGINT"), 0)
    assert.strictEqual(new Set(api.requests.map(({ eventId }) => eventId)).size, count)
    assert.strictEqual(((await client.xpending(stream, group)) as [number])[0], 0)
  }, 180_000)

  it("a stop that comes too late for a request gives its entry up: another replica takes it at once", async () => {
    api.requests.length = 0
    api.answer = ({ eventId }) =>
      eventId === "slow" && api.requests.length === 1
        ? { status: 200, delay: 30_000 }
        : { status: 200, body: { job_id: "j", credits_deducted: 58 } }
    const settings = { REDIS_URL: redis.url, API_BASE_URL: api.url, API_TIMEOUT: "60 seconds" }
    const first = CollectorProcess.start({ ...settings, CONSUMER_NAME: "third", SHUTDOWN_TIMEOUT: "500 millis" })
    await first.collecting()
    await client.xadd(stream, "*", ...transcribeFields("slow", Date.now()))
    await waitUntil("the slow request is under way", () => api.requests.length === 1)
    assert.strictEqual(await first.end("SIGTERM"), 0, first.lines.join("\n"))
    const [[, owner, , deliveries] = []] = (await client.xpending(stream, group, "-", "+", 1)) as Array<
      [string, string, number, number]
    >
    assert.strictEqual(owner, "third")
    assert.strictEqual(deliveries, 0, "a clean stop does not count as a hand-out")
    const second = CollectorProcess.start({ ...settings, CONSUMER_NAME: "fourth" })
    await second.collecting()
    await waitUntil("the other replica delivers it", () => api.requests.length === 2)
    await waitUntil("it is acknowledged", async () => ((await client.xpending(stream, group)) as [number])[0] === 0)
    assert.strictEqual(await second.end("SIGTERM"), 0)
  }, 180_000)

  it("bad settings: every one named, one line each, no stack, exit 1", async () => {
    const wrong = CollectorProcess.start({
      API_BASE_URL: "ftp://nowhere",
      API_TIMEOUT: "soon",
      DELIVERY_CONCURRENCY: "0",
      ED25519_PRIVATE_KEY: "c0ffee-secret-canary",
      REDIS_URL: "http://redis"
    })
    assert.strictEqual(await wrong.exit(), 1)
    const names = ["API_BASE_URL", "API_TIMEOUT", "DELIVERY_CONCURRENCY", "ED25519_PRIVATE_KEY", "REDIS_URL"]
    const lines = wrong.lines.filter((line) => line !== "")
    assert.deepStrictEqual(lines.map((line) => line.split(":")[0]).sort(), names)
    assert.isFalse(wrong.said("c0ffee"))
  }, 120_000)

  it("a taken port ends it with exit 1", async () => {
    const port = Number(new URL(api.url).port)
    const settings = { REDIS_URL: redis.url, API_BASE_URL: api.url, HTTP_PORT: `${port}` }
    const taken = CollectorProcess.start(settings)
    assert.strictEqual(await taken.exit(), 1)
    assert.isTrue(taken.said("EADDRINUSE") || taken.said("in use"), taken.lines.join("\n"))
  }, 120_000)

  it("stopped before Redis was there, it ends with exit 0 and says so; --log-level goes before LOG_LEVEL", async () => {
    const settings = { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, API_BASE_URL: api.url }
    const early = CollectorProcess.start({ ...settings, LOG_LEVEL: "none" }, ["run", "--log-level", "info"])
    await early.logs("redis.failed")
    assert.strictEqual(await early.end("SIGTERM"), 0)
    assert.strictEqual(early.logged("stopping").length, 1)
    assert.strictEqual(early.logged("stopped").length, 1)
  }, 120_000)

  it("ends with exit 1 for a database that there is not", async () => {
    const nowhere = CollectorProcess.start({ REDIS_URL: `${redis.url}/999`, API_BASE_URL: api.url })
    assert.strictEqual(await nowhere.exit(), 1)
    assert.isTrue(nowhere.said("DB index is out of range"), nowhere.lines.join("\n"))
  }, 120_000)

  it("starts without Redis and begins when it comes", async () => {
    const port = await freePort()
    const late = CollectorProcess.start({ REDIS_URL: `redis://127.0.0.1:${port}`, API_BASE_URL: api.url })
    await waitUntil("it says that Redis is away", () => late.said("redis.failed"))
    const server = await RedisServer.startOn(port)
    await late.collecting()
    assert.strictEqual(await late.end("SIGTERM"), 0)
    await server.stop()
  }, 120_000)
})

/** How many entries of the source stream were read and acknowledged. */
const tally = async (client: IoRedisClient): Promise<{ readonly acknowledged: number }> => {
  const [flat = []] = (await client.call("XINFO", "GROUPS", stream)) as Array<Array<string | number>>
  const info = new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]))
  return { acknowledged: Number(info.get("entries-read")) - Number(info.get("pending")) }
}
