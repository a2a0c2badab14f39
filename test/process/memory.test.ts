import { assert, it } from "@effect/vitest"
import { RedisServer } from "../support/redis-server.ts"
import { Scene } from "./scene.ts"

it("memory does not grow with what waits: 10,000 events delivered below 200 MB", async () => {
  const scene = await Scene.withRedis(await RedisServer.start())
  try {
    await scene.produce(10_000, 500)
    const collector = scene.start()
    await collector.collecting()
    const account = await scene.settled()
    assert.strictEqual(account.delivered, 10_000)
    assert.isBelow(collector.rssMb, 200)
    assert.strictEqual(await collector.end("SIGTERM"), 0)
  } finally {
    await scene.close()
  }
}, 180_000)
