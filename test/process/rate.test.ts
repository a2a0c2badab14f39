import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { Scene } from "./scene.ts"

describe("a rate of real replicas", () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.withRedis(await RedisServer.start(), { DELIVERY_RATE: "100 per second" })
  })

  afterEach(() => scene.close())

  it("holds over three together, while one of them is killed", async () => {
    const sentAt: Array<number> = []
    scene.api.answer = ({ at }) => {
      sentAt.push(at)
      return undefined
    }
    await Promise.all(Array.from({ length: 800 }, () => scene.add()))
    const replicas = [scene.start(), scene.start(), scene.start()]
    await waitUntil("some are sent", () => sentAt.length >= 300, 60_000)
    await replicas[0]?.end("SIGKILL")
    await waitUntil("most are sent", () => sentAt.length >= 700, 60_000)
    // Each for itself they would take two seconds. How much longer than six it takes is the machine's affair.
    const tookMs = (sentAt[699] ?? 0) - (sentAt[99] ?? 0)
    assert.isAtLeast(tookMs, 5_000, "600 requests at 100 per second")
  }, 120_000)
})
