import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { processFields } from "../support/events.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { abandoned, processing as source } from "../support/streams.ts"
import { TcpProxy } from "../support/tcp-proxy.ts"
import { Scene } from "./scene.ts"

describe("a Redis behind a link that brings a megabyte a second", () => {
  let proxy: TcpProxy
  let scene: Scene

  beforeEach(async () => {
    const redis = await RedisServer.start()
    proxy = await TcpProxy.start(redis.port)
    scene = await Scene.withRedis(redis, { REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
  })

  afterEach(async () => {
    await scene.close()
    await proxy.stop()
  })

  it("has large entries delivered once each, with their small neighbours, on connections that last", async () => {
    const now = Date.now()
    const add = async (eventId: string, size: number) => {
      await scene.call("XADD", source, "*", ...processFields(eventId, now, { result: "x".repeat(size) }))
      scene.conservation.note(eventId)
    }
    for (let i = 0; i < 8; i++) {
      await add(`large-${i}`, 1_000_000)
      await add(`small-${i}`, 10)
    }
    // Too large for an event, and longer under way than a silence may last.
    for (let i = 0; i < 2; i++) await add(`oversize-${i}`, 7_000_000)
    await add("last", 10)
    proxy.set({ bytesPerSecond: 1_000_000 })
    const collector = scene.start({ CLAIM_IDLE: "2 seconds", LOG_LEVEL: "debug" })
    await collector.collecting()
    const connected = proxy.accepted
    await waitUntil("all valid events are delivered", () => scene.api.charges.size === 17, 120_000)
    await scene.keepsPromises()
    const failed = collector.logged("delivery.failed")
    assert.strictEqual(failed.length, 0, failed.join("\n"))
    for (const attempts of scene.api.attempts.values()) assert.deepStrictEqual(attempts, [1])
    const given = (await scene.call("XRANGE", abandoned, "-", "+")) as Array<[string, Array<string>]>
    assert.strictEqual(given.length, 2)
    for (const [, fields] of given) assert.include(fields.join(), '"reason":"invalid"')
    // A reader opens its own after "collecting".
    assert.isAtMost(proxy.accepted, connected + 3)
    assert.strictEqual(collector.logged("redis.failed").length, 0, collector.logged("redis.failed").join("\n"))
    assert.strictEqual(await collector.end("SIGTERM"), 0)
  }, 180_000)
})
