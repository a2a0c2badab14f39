import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { describeAccount } from "../support/conservation.ts"
import { transcribeFields } from "../support/events.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { group, transcribe as source } from "../support/streams.ts"
import { Scene } from "./scene.ts"

describe("replicas", () => {
  let scene: Scene

  beforeEach(async () => {
    scene = await Scene.withRedis(await RedisServer.start())
  })

  afterEach(() => scene.close())

  it("one name, two processes: the second takes another; one paused for longer than the lease gives its name up", async () => {
    const twin = { CONSUMER_NAME: "twin", CLAIM_IDLE: "2 seconds", API_TIMEOUT: "1 second" }
    const first = scene.start(twin)
    await first.collecting()
    const second = scene.start(twin)
    await second.collecting()
    assert.isTrue(second.logged("consumer.name_in_use")[0]?.includes('"twin-2"'), second.lines.join("\n"))

    // Half of the first attempts fail, so that whoever believes to own an entry would move it.
    scene.api.answer = ({ attempt, eventId }) =>
      attempt === 1 && eventId.endsWith("3") ? { status: 500, delay: 200 } : undefined
    const producing = scene.produce(400, 8_000)
    await sleep(500)
    first.child.kill("SIGSTOP")
    const third = scene.start(twin)
    await third.collecting()
    assert.strictEqual(third.logged("consumer.name_in_use").length, 0, "the paused one's lease has lapsed")
    first.child.kill("SIGCONT")
    await first.logs("lease.lost")
    await producing
    await first.logs("collecting", 2)
    assert.isTrue(first.logged("consumer.name_in_use")[0]?.includes('"twin-3"'), first.lines.join("\n"))
    const account = await scene.keepsPromises()
    assert.strictEqual(account.delivered, 400)
    for (const collector of [first, second, third]) assert.strictEqual(await collector.end("SIGTERM"), 0)
  }, 180_000)

  it("a crash loop of 12 restarts makes no healthy entry poison", async () => {
    const settings = { CLAIM_IDLE: "500 millis", DELIVERY_CONCURRENCY: "16" }
    scene.api.answer = ({ eventId }) => ({
      status: 200,
      delay: 100,
      charge: true,
      body: { job_id: eventId, credits_deducted: 58 }
    })
    const requests = () => scene.api.verifiedCount
    // More than twelve short lives can do, however late each is ended.
    const producing = scene.produce(1_200, 12_000)
    for (let crash = 0; crash < 12; crash++) {
      const before = requests()
      const collector = scene.start(settings)
      await waitUntil("it works", () => requests() > before, 40_000)
      await sleep(150)
      await collector.end("SIGKILL")
    }
    await producing
    await scene.start(settings).collecting()
    const account = await scene.keepsPromises()
    assert.strictEqual(account.delivered, 1_200, describeAccount(account))
    assert.strictEqual(await scene.call("EXISTS", ...scene.conservation.streams.abandoned), 0, "one was given up")
  }, 180_000)

  it("groups that are destroyed under traffic take nothing with them", async () => {
    scene.api.answer = ({ attempt, eventId }) =>
      attempt === 1 && /[05]$/.test(eventId)
        ? { status: 500, delay: 60 }
        : { status: 200, delay: 60, charge: true, body: { job_id: eventId, credits_deducted: 58 } }
    const replicas = [scene.start(), scene.start(), scene.start()]
    await Promise.all(replicas.map((replica) => replica.collecting()))
    const producing = scene.produce(600, 4_000)
    const { dlqs, sources } = scene.conservation.streams
    for (const stream of [...sources, ...dlqs]) {
      await sleep(1_000)
      await scene.call("XGROUP", "DESTROY", stream, group)
    }
    await producing
    const account = await scene.keepsPromises()
    assert.strictEqual(account.delivered, 600, describeAccount(account))
  }, 180_000)

  it("an entry on its third hand-out is worked on alone", async () => {
    await scene.call("XGROUP", "CREATE", source, group, "0", "MKSTREAM")
    const suspects: Array<string> = []
    for (let i = 0; i < 4; i++) {
      const id = String(await scene.call("XADD", source, "*", ...transcribeFields(`suspect-${i}`, Date.now())))
      scene.conservation.note(`suspect-${i}`)
      suspects.push(id)
    }
    await scene.call("XREADGROUP", "GROUP", group, "died", "STREAMS", source, ">")
    await scene.call("XCLAIM", source, group, "died", "0", ...suspects, "IDLE", "60000", "RETRYCOUNT", "2", "JUSTID")
    const spans: Array<{ readonly eventId: string; readonly from: number; to: number }> = []
    scene.api.answer = ({ eventId }) => {
      const span = { eventId, from: performance.now(), to: Number.POSITIVE_INFINITY }
      spans.push(span)
      // Noted when it is answered in fact: a timer's 80 ms may be less or more.
      const after = sleep(80).then(() => {
        span.to = performance.now()
      })
      return { status: 200, after, charge: true, body: { job_id: eventId, credits_deducted: 58 } }
    }
    await scene.start({ CLAIM_IDLE: "1 second" }).collecting()
    await scene.produce(200, 3_000)
    await scene.keepsPromises()
    for (const suspect of spans.filter(({ eventId }) => eventId.startsWith("suspect"))) {
      const beside = spans.filter((other) => other !== suspect && other.from < suspect.to && suspect.from < other.to)
      assert.deepStrictEqual(beside, [], `beside ${suspect.eventId}`)
    }
    assert.strictEqual(spans.length, 204)
  }, 180_000)
})
