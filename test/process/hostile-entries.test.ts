import { assert, it } from "@effect/vitest"
import { Redis as IoRedisClient } from "ioredis"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"

const stream = "modelsgateway:events:transcribe"
/** More of them by hand: HOSTILE_ENTRIES=1000. */
const count = Number(process.env.HOSTILE_ENTRIES ?? 100)

/**
 * Says on its end for how long the event loop was held up at most, since the last SIGUSR2: what its thread computed between
 * two ticks of a timer, which other processes of the machine do not lengthen.
 */
const watchLoop = `
  const computed = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1000 }
  let last = 0
  let longest = 0
  setInterval(() => {
    const now = computed()
    longest = Math.max(longest, now - last)
    last = now
  }, 1).unref()
  process.on("SIGUSR2", () => { longest = 0 })
  process.on("exit", () => console.log("held up " + longest))`

/** Entries of a legal size and a hostile shape: all of them are refused, but for the last three. */
const shapes: ReadonlyArray<(n: number) => ReadonlyArray<string | Buffer>> = [
  () => ["data", "[".repeat(1_048_000)],
  () => ["data", `{"a":${'{"a":'.repeat(200_000)}`],
  () => ["data", `{"a":[${"1,".repeat(500_000)}1]}`],
  () => ["data", `{${Array.from({ length: 90_000 }, (_, i) => `"${i}":1`).join(",")}}`],
  (n) => [...transcribeFields(`bytes-${n}`, Date.now()), "more", Buffer.alloc(1_000_000, 0xff)],
  () => Array.from({ length: 160_000 }, (_, i) => (i % 2 === 0 ? `${i}` : "")),
  (n) => [
    ...transcribeFields(`vast-${n}`, Date.now()),
    "more",
    Buffer.alloc(n < shapes.length ? 32_000_000 : 2_000_000, 0xff)
  ],
  (n) => [...transcribeFields(`control-${n}`, Date.now()), "more", "\u0001".repeat(1_000_000)],
  (n) => [...transcribeFields(`text-${n}`, Date.now()), "more", "x".repeat(1_000_000)],
  (n) => [
    ...transcribeFields(`wide-${n}`, Date.now()).slice(0, -2),
    "metadata",
    JSON.stringify({ list: Array.from({ length: 9_000 }, (_, i) => `${i}`.padStart(100)) })
  ]
]

const firstValid = shapes.length - 3

it("no entry of a legal size, however it is made, holds up the event loop or its neighbours", async () => {
  const redis = await RedisServer.start()
  const api = await ReceivingApi.start(testKey.public)
  api.keep = false
  const client = new IoRedisClient(redis.url)
  try {
    for (let n = 0; n < count; n++) await client.call("XADD", [stream, "*", ...(shapes[n % shapes.length]?.(n) ?? [])])
    await client.xadd(stream, "*", ...transcribeFields("neighbour", Date.now()))
    const collector = CollectorProcess.start({
      REDIS_URL: redis.url,
      API_BASE_URL: api.url,
      LOG_LEVEL: "warn",
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(watchLoop)}`
    })
    const group = async () => client.call("XINFO", "GROUPS", stream).catch(() => [])
    await waitUntil("the group is there", async () => JSON.stringify(await group()) !== "[]", 60_000)
    collector.child.kill("SIGUSR2")
    await client.xgroup("SETID", stream, "job-collector-group", "0")
    const valid = Array.from({ length: count }, (_, n) => n % shapes.length).filter(
      (shape) => shape >= firstValid
    ).length
    const abandoned = () => client.xlen("modelsgateway:events:abandoned")
    await waitUntil("all are settled", async () => (await abandoned()) >= count - valid, 240_000)
    await waitUntil("the neighbour is delivered", () => api.charges.size >= valid + 1, 60_000)
    assert.strictEqual(await abandoned(), count - valid)
    assert.strictEqual(await collector.end("SIGTERM"), 0)
    const [, heldUp] = /held up ([\d.]+)/.exec(collector.lines.join("\n")) ?? []
    // 100 ms on a machine of its own: one that is shared computes more slowly, too.
    assert.isBelow(Number(heldUp), 250, "milliseconds")
  } finally {
    client.disconnect()
    await api.close()
    await redis.stop()
  }
}, 600_000)
