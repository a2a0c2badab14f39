/** A pause set from the command line while three real replicas work: obeyed within two seconds, and nothing is lost. */
import { Redis as IoRedis } from "ioredis"
import { afterEach, describe, expect, it } from "vitest"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { commandLine } from "../support/command-line.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { transcribe } from "../support/streams.ts"

describe("a pause", () => {
  const closing: Array<() => unknown> = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  it("stops three replicas within two seconds, whichever starts anew meanwhile, and loses no event", async () => {
    const redis = await RedisServer.start()
    closing.push(() => redis.stop())
    const client = new IoRedis(redis.url)
    closing.push(() => client.disconnect())
    const api = await ReceivingApi.start(testKey.public)
    closing.push(() => api.close())
    const start = (name: string) => {
      const environment = {
        REDIS_URL: redis.url,
        API_BASE_URL: api.url,
        GROUP_START_ID: "0",
        CONSUMER_NAME: name,
        CLAIM_IDLE: "3 seconds"
      }
      const replica = CollectorProcess.start(environment)
      closing.push(() => replica.child.kill("SIGKILL"))
      return replica
    }
    const replicas = ["a", "b", "c"].map(start)
    await Promise.all(replicas.map((replica) => replica.collecting()))
    let produced = 0
    const timer = setInterval(() => {
      for (let i = 0; i < 5; i++) void client.xadd(transcribe, "*", ...transcribeFields(`e-${produced++}`, Date.now()))
    }, 50)
    closing.push(() => clearInterval(timer))
    await waitUntil("events are delivered", () => api.requests.length > 100)
    const environment = { REDIS_URL: redis.url }
    expect(await commandLine(environment, "pause", "--as", "anna")).toMatchObject({ ok: true, err: [] })
    const pausedAt = Date.now()
    for (const replica of replicas) await replica.logs("rule.set")
    const last = () => api.requests.at(-1)?.at ?? 0
    // One that starts anew knows of it before it reads anything.
    replicas[0]?.child.kill("SIGKILL")
    await start("d").collecting()
    await waitUntil("a while goes by", () => Date.now() > pausedAt + 2_500)
    expect(last() - pausedAt).toBeLessThan(2_000)
    clearInterval(timer)
    expect(await commandLine(environment, "resume")).toMatchObject({ ok: true, err: [] })
    await waitUntil("all is delivered", () => api.charges.size === produced, 40_000)
    expect([...api.charges.values()].every((charges) => charges === 1)).toBe(true)
  })
})
