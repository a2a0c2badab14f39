import { assert, describe, it } from "@effect/vitest"
import { afterEach, beforeEach } from "vitest"
import { CollectorProcess } from "../support/collector-process.ts"
import { waitUntil } from "../support/redis-server.ts"
import { nestedReply, ReplyServer } from "../support/reply-server.ts"

describe("a Redis whose replies are nested 50,000 levels deep", () => {
  let redis: ReplyServer
  beforeEach(async () => {
    redis = await ReplyServer.start(nestedReply(50_000))
  })
  afterEach(() => redis.stop())

  const start = (...args: Array<string>) =>
    CollectorProcess.start({ API_BASE_URL: "http://127.0.0.1:9", REDIS_URL: redis.url }, args)

  it("does not end the service, which says so and goes on trying", async () => {
    const collector = start("run")
    await collector.logs("redis.failed")
    assert.match(collector.logged("redis.failed")[0] ?? "", /nested too deeply/)
    const tried = redis.connections
    await waitUntil("it connects again", () => redis.connections > tried + 2)
    assert.isTrue(collector.running)
    assert.strictEqual(await collector.end("SIGTERM"), 0)
  })

  it("ends a command with one clear line", async () => {
    const command = start("dlq", "list")
    assert.strictEqual(await command.exit(), 1)
    assert.lengthOf(command.lines, 1)
    assert.match(command.lines[0] ?? "", /Redis at \S+ is not connected: its reply is nested too deeply to be read/)
  })
})
