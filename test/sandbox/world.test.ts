import { setTimeout as sleep } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import { Redis as Client } from "ioredis"
import { afterAll, beforeAll } from "vitest"
import { audit } from "../../sandbox/audit.ts"
import { users, usersWithoutCredits } from "../../sandbox/gateway/events.ts"
import { Listener } from "../../sandbox/listener.ts"
import { World } from "../../sandbox/world.ts"
import { PostgresServer } from "../support/postgres-server.ts"
import { waitUntil } from "../support/redis-server.ts"

const EVENTS = 5_000

describe("the whole diagram, on redis-server and PostgreSQL", () => {
  let postgres: PostgresServer
  let world: World
  beforeAll(async () => {
    postgres = await PostgresServer.start()
    world = await World.start({
      redis: "server",
      databaseUrl: postgres.url,
      seed: "world",
      users: [...users, ...usersWithoutCredits].map((id) => ({ id, credits: 100_000_000 }))
    })
  }, 180_000)
  afterAll(async () => {
    await world?.stop()
    await postgres?.stop()
  })

  /** Asks the gateway for completions until told to stop; a dropped request fails it. */
  const gatewayClient = async (until: () => boolean): Promise<ReadonlySet<string>> => {
    const versions = new Set<string>()
    while (!until()) {
      const answer = await fetch(`${world.gateway.url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "gpt-4o", prompt: "one two three four five six" })
      })
      assert.strictEqual(answer.status, 200)
      const version = answer.headers.get("x-configuration-version") ?? ""
      assert.include(await answer.text(), `six \n[version ${version}]`)
      versions.add(version)
    }
    return versions
  }

  it(`charges ${EVENTS} events to the credit under faults, drops no request of the gateway, tells each user once`, async () => {
    await waitUntil("the gateway is configured", async () => (await world.gateway.status()).version !== null, 40_000)
    const listeners = users.slice(0, 5).map((user) => ({ user, listener: new Listener(world.api.url, user) }))
    let over = false
    const clients = Promise.all(Array.from({ length: 4 }, () => gatewayClient(() => over)))
    // Awaited at the end; until then a failure of its own is not to hide another.
    clients.catch(() => undefined)

    await world.gateway.produce({ count: EVENTS, rate: 800 })
    const progress = async (events: number) =>
      waitUntil(`${events} events are produced`, async () => (await world.gateway.status()).events >= events, 90_000)

    await progress(800)
    const { version } = await world.operator("PUT", "/models/gpt-4o/costs", { input: 4.25, output: 16.125 })
    await progress(1_200)
    world.collector.signal("SIGKILL")
    await world.collector.ended
    await world.startCollector()
    await progress(2_500)
    const redis = new Client(Number(new URL(world.redisUrl).port), "127.0.0.1")
    await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    redis.disconnect()
    // Its lease on its name has to lapse first: by then there is work for seconds.
    await waitUntil("the new collector delivers", async () => (await world.streams.backlog()).pending > 0, 40_000)
    world.api.child.signal("SIGKILL")
    await world.api.child.ended
    await sleep(1_000)
    await world.startApi()

    await waitUntil(
      "every event has met its end",
      async () => {
        const { dlq, lag, pending } = await world.streams.backlog()
        return !(await world.gateway.status()).busy && lag + pending + dlq === 0
      },
      150_000
    )
    await waitUntil(
      "the gateway runs the new price",
      async () => (await world.gateway.status()).version === version,
      40_000
    )
    over = true
    const versions = new Set((await clients).flatMap((seen) => [...seen]))
    assert.include([...versions], `${version}`)

    assert.deepStrictEqual(await world.collector.stop(), { code: 0, signal: null })
    const ledger = await audit(world)
    await waitUntil("each user is told of each job", () =>
      listeners.every(({ listener, user }) => listener.heard.length >= ledger.jobIds(user).length)
    )
    for (const { listener } of listeners) listener.close()
    assert.deepStrictEqual(await world.api.child.stop(), { code: 0, signal: null })
    assert.isTrue(ledger.balanced, JSON.stringify(ledger.lines, null, 1))
    assert.deepStrictEqual(ledger.abandoned, { invalid: 52, rejected: 24 })
    for (const { listener, user } of listeners) assert.deepStrictEqual(listener.heard, ledger.jobIds(user))
  }, 300_000)
})
