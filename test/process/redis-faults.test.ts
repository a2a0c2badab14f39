import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { freePort, RedisServer, waitUntil } from "../support/redis-server.ts"
import { dlq, group, transcribe as source } from "../support/streams.ts"
import { Scene } from "./scene.ts"

describe("Redis as it fails", () => {
  let redis: RedisServer
  let scene: Scene

  beforeEach(async () => {
    redis = await RedisServer.start(["--appendonly", "yes", "--appendfsync", "no"])
    scene = await Scene.withRedis(redis)
  })

  afterEach(() => scene.close())

  const command = (...args: [string, ...Array<string>]) => scene.call(...args)

  /** How long it takes until an event is delivered that was added after now, in milliseconds. */
  const backToWork = async (): Promise<number> => {
    const since = Date.now()
    const isNew = (eventId: string) => (scene.conservation.produced.get(eventId) ?? 0) > since
    await waitUntil("new events are delivered", () => [...scene.api.charges.keys()].some(isNew))
    return Date.now() - since
  }

  it("emptied, and restarted without its data, under traffic: back within 10 s, not ready meanwhile", async () => {
    const collector = scene.start()
    await collector.collecting()
    await waitUntil("it is ready", async () => (await collector.status("/health/ready")) === 200)
    let going = true
    const producing = (async () => {
      while (going) await Promise.all([scene.add(), scene.add(), sleep(10)])
    })()
    await waitUntil("traffic flows", () => scene.api.charges.size > 100)

    await command("FLUSHALL")
    scene.conservation.redisLost("emptied")
    assert.isBelow(await backToWork(), 10_000)

    await redis.down("SIGKILL")
    redis.forget()
    scene.conservation.redisLost("restarted without its data")
    await waitUntil("it is not ready", async () => (await collector.status("/health/ready")) === 503)
    assert.strictEqual(await collector.status("/health/live"), 200)
    await redis.up()
    assert.isBelow(await backToWork(), 10_000)
    await waitUntil("it is ready again", async () => (await collector.status("/health/ready")) === 200)
    going = false
    await producing
    await scene.keepsPromises()
    assert.strictEqual(await collector.end("SIGTERM"), 0)
  }, 180_000)

  it("away for longer than CLAIM_IDLE: nobody's running work is taken when it is back", async () => {
    let finish = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    scene.api.answer = ({ eventId }) =>
      eventId === "event-0"
        ? { status: 200, after: finished, charge: true, body: { job_id: "slow", credits_deducted: 58 } }
        : undefined
    // Long against the two seconds by which one replica may find Redis again later than the other.
    const settings = { CLAIM_IDLE: "6 seconds", API_TIMEOUT: "60 seconds" }
    const replicas = [scene.start(settings), scene.start(settings)]
    await Promise.all(replicas.map((replica) => replica.collecting()))
    await scene.add()
    await waitUntil("the slow request is under way", () => scene.api.attempts.has("event-0"))
    await redis.down("SIGKILL")
    await sleep(7_000)
    await redis.up()
    await waitUntil("both are back", async () =>
      (await Promise.all(replicas.map((replica) => replica.status("/health/ready")))).every((status) => status === 200)
    )
    // For longer than CLAIM_IDLE: who takes work over does so now.
    await scene.produce(50, 7_000)
    await waitUntil("the others are delivered", () => scene.api.charges.size === 51)
    finish()
    await waitUntil("the slow request is acknowledged", async () => {
      const [pending] = (await command("XPENDING", source, group)) as [number]
      return pending === 0
    })
    assert.deepStrictEqual(scene.api.attempts.get("event-0"), [1])
    await scene.keepsPromises()
  }, 180_000)

  it("out of memory: said, waited out, nothing lost", async () => {
    let fail = () => {}
    const memoryIsFull = new Promise<void>((resolve) => {
      fail = resolve
    })
    let failing = true
    scene.api.answer = () => (failing ? { status: 500, after: memoryIsFull } : undefined)
    const collector = scene.start()
    await collector.collecting()
    for (let i = 0; i < 20; i++) await scene.add()
    await waitUntil("the requests are under way", () => scene.api.attempts.size === 20)
    await command("CONFIG", "SET", "maxmemory", "1")
    fail()
    await waitUntil("it says so", () => collector.logged("move.refused").some((line) => line.includes("OOM")))
    assert.strictEqual(await command("XLEN", dlq), 0)
    failing = false
    await command("CONFIG", "SET", "maxmemory", "0")
    const account = await scene.keepsPromises()
    assert.strictEqual(account.delivered, 20)
  }, 180_000)

  it("a master that was demoted: not ready until it is master again, nothing lost", async () => {
    const collector = scene.start({ LOG_LEVEL: "debug" })
    await collector.collecting()
    await scene.produce(50, 500)
    await command("REPLICAOF", "127.0.0.1", `${await freePort()}`)
    await waitUntil("it is not ready", async () => (await collector.status("/health/ready")) === 503)
    await waitUntil("it says so", () => collector.logged("redis.failed").some((line) => line.includes("READONLY")))
    await command("REPLICAOF", "NO", "ONE")
    await waitUntil("it is ready again", async () => (await collector.status("/health/ready")) === 200)
    await scene.produce(50, 500)
    const account = await scene.keepsPromises()
    assert.strictEqual(account.delivered, 100)
  }, 180_000)

  it("set up to evict: a warning at start; none where it is not, or does not tell", async () => {
    const quiet = scene.start()
    await quiet.collecting()
    assert.strictEqual(quiet.logged("redis.may_evict").length, 0)
    await command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    const warned = scene.start()
    await warned.collecting()
    assert.isTrue(warned.logged("redis.may_evict")[0]?.includes("allkeys-lru"))
    await command("ACL", "SETUSER", "default", "-info")
    const untold = scene.start()
    await untold.collecting()
    assert.strictEqual(untold.logged("redis.may_evict").length, 0)
  }, 180_000)

  it("a user that may not run scripts ends the start with exit 1 and one line", async () => {
    await command("ACL", "SETUSER", "default", "-eval")
    const refused = scene.start()
    assert.strictEqual(await refused.exit(), 1)
    assert.isTrue(refused.said("Redis refuses this user: NOPERM"), refused.lines.join("\n"))
  }, 180_000)
})
