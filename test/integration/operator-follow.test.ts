/** `tail`, `report` and `erase` on a real Redis; what they say of what is told in time-travel/operator-follow.test.ts. */
import { Redis as IoRedisClient } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { encodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import { commandLine } from "../support/command-line.ts"
import { transcribeFields } from "../support/events.ts"
import { RedisServer } from "../support/redis-server.ts"
import { abandoned, transcribe } from "../support/streams.ts"

let redis: RedisServer
let client: IoRedisClient

beforeAll(async () => {
  redis = await RedisServer.start([])
  client = new IoRedisClient(redis.url)
})
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const run = (...args: ReadonlyArray<string>) => commandLine({ REDIS_URL: redis.url }, ...args)

const give = (id: string, user: string) => {
  const now = Date.now()
  const said = {
    reason: "rejected",
    attempts: 1,
    origin_stream: transcribe,
    origin_id: "1-0",
    first_failed_at: now,
    abandoned_at: now,
    error_code: "HTTP_422",
    error_message: "UNKNOWN_MODEL: not offered"
  } as const
  return client.xadd(abandoned, "*", ...encodeAbandonedEntry(said, transcribeFields(id, now, { user_id: user })))
}

it("tail tells what is given up while it looks; report sums it up; erase removes one user's alone, and is in the audit", async () => {
  await give("before", "bob")
  const follows = run("tail", "--for", "3 seconds", "--json")
  // What is added before it looks is not told: so one is added again and again, until it ends.
  let ended = false
  void follows.then(() => {
    ended = true
  })
  let added = 0
  while (!ended) {
    added += 1
    await give(`ann-${added}`, "ann")
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  const { ok, out } = await follows
  expect(ok).toBe(true)
  const told = out.filter((line) => line !== "").map((line) => JSON.parse(line))
  expect(told.length).toBeGreaterThan(0)
  for (const line of told)
    expect(line).toMatchObject({ what: "abandoned", event_id: expect.stringMatching(/^ann-\d+$/) })

  const report = (await run("report")).out.join("\n")
  expect(report).toContain(`${added + 1} events of 2 users failed`)
  expect(report).toContain(`HTTP\\_422 UNKNOWN\\_MODEL: not offered | ${added + 1} |`)

  const erased = await run("erase", "--user", "ann", "--yes", "--as", "dpo", "--json")
  expect(JSON.parse(erased.out.join(""))).toMatchObject({ user_id: "ann", removed: { abandoned: added, dlq: 0 } })
  expect(await client.xlen(abandoned)).toBe(1)
  const [noted = ""] = (await run("audit", "list", "--json")).out
  expect(JSON.parse(noted)).toMatchObject({ action: "erase", who: "dpo", count: added })
})
