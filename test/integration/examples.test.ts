import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { makeApi } from "../../examples/api-server.ts"
import { makeCollector } from "../../examples/compose.ts"
import { Child } from "../../sandbox/children.ts"
import { type Abandoned, encodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import { JobCollector, layerLeanHttpClient, layerMemoryRedis, layerNativeSigner, Redis } from "../../src/index.ts"
import { testKey } from "../support/collector-process.ts"
import { realParts } from "../support/real-parts.ts"
import { freePort, waitUntil } from "../support/redis-server.ts"
import { addEvent } from "../support/streams.ts"

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const file = (name: string) => readFileSync(path(name), "utf8")

const listening = async (server: Server): Promise<string> => {
  await once(server.listen(0, "127.0.0.1"), "listening")
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe("the README", () => {
  it("shows the composition example as it stands and is compiled", () => {
    assert.include(file("README.md"), `\`\`\`ts\n${file("examples/compose.ts")}\`\`\``)
  })

  it("shows the signature of a known request", () => {
    const [, vector] = JSON.parse(file("test/vectors/request_signature_v1.json"))
    for (const part of [vector.body_utf8, vector.body_sha256_hex, vector.authorization]) {
      assert.include(file("README.md"), part)
    }
  })
})

describe("the table of the examples", () => {
  it("names each of them", () => {
    const named = [...file("examples/README.md").matchAll(/\]\(([\w.-]+)\)/g)].map(([, name]) => name)
    const there = readdirSync(path("examples")).filter((name) => name !== "README.md")
    assert.deepStrictEqual(named.sort(), there.sort())
  })
})

describe("the composition example", () => {
  it.live("delivers events of its own kind, and abandons what its schema refuses", () =>
    Effect.gen(function* () {
      const { api, client, redis } = yield* realParts
      yield* Layer.build(makeCollector({ redisUrl: redis.url, apiBaseUrl: api.url, privateKey: testKey.private }))
      yield* Effect.promise(async () => {
        await client.xadd("shop:events:refund", "*", "event_id", "r-1", "cents", "1250")
        await client.xadd("shop:events:refund", "*", "event_id", "r-2", "cents", "plenty")
        await waitUntil("the refund is delivered", () => api.requests.length === 1)
        await waitUntil(
          "the other is abandoned",
          async () => (await client.xlen("modelsgateway:events:abandoned")) === 1
        )
      })
      const [request] = api.requests
      assert.strictEqual(request?.eventId, "r-1")
      assert.strictEqual(request?.body.cents, 1250)
      assert.isTrue(request?.verified)
    }).pipe(Effect.scoped)
  )
})

describe("the service in twenty lines", () => {
  it("runs on settings from its environment, shows its health, and stops cleanly when it is told to", async () => {
    const port = await freePort()
    const env = {
      REDIS_URL: "memory:",
      API_BASE_URL: "http://127.0.0.1:1",
      CONFIG_SYNC: "off",
      ED25519_PRIVATE_KEY: testKey.private,
      HTTP_PORT: String(port)
    }
    const command = [process.execPath, path("examples/service.ts")] as const
    const service = await Child.start({ name: "the service", command, env })
    const health = () => fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined)
    await waitUntil("it is live", async () => (await health())?.status === 200)
    service.signal("SIGTERM")
    // What an app of Effect ends with when it was interrupted.
    assert.strictEqual((await service.ended).code, 130, service.output)
    assert.match(service.output, /stopped.*released/)
  })

  it("is twenty lines, or hardly more", () => {
    const [, lines = ""] = file("examples/service.ts").split(/^const service/m)
    assert.isAtMost(lines.trim().split("\n").length, 22)
  })
})

const abandonedRefund: Abandoned = {
  reason: "rejected",
  attempts: 1,
  origin_stream: "shop:events:refund",
  origin_id: "1-0",
  first_failed_at: 0,
  abandoned_at: 0,
  error_code: "HTTP_422",
  error_message: "unprocessable"
}

describe("the command line of an app with kinds of its own", () => {
  it.live("lists and replays what was abandoned of its own kind, checks a producer's events", () =>
    Effect.gen(function* () {
      const { client, redis } = yield* realParts
      const shop = (input: string, ...args: ReadonlyArray<string>) => {
        const env = { PATH: process.env.PATH, REDIS_URL: redis.url }
        const { status, stderr, stdout } = spawnSync(process.execPath, [path("examples/own-command.ts"), ...args], {
          encoding: "utf8",
          env,
          input
        })
        return { status, stderr, stdout }
      }
      yield* Effect.promise(() =>
        client.xadd(
          "modelsgateway:events:abandoned",
          "*",
          ...encodeAbandonedEntry(abandonedRefund, ["event_id", "r-1", "cents", "1250"])
        )
      )
      const listed = shop("", "abandoned", "list", "--json")
      assert.strictEqual(listed.status, 0, listed.stderr)
      assert.include(listed.stdout, '"event_id":"r-1"')
      const replayed = shop("", "abandoned", "replay", "--all", "--yes", "--why", "API mended")
      assert.strictEqual(replayed.status, 0, replayed.stderr)
      const [entry] = yield* Effect.promise(() => client.xrange("shop:events:refund", "-", "+"))
      assert.includeMembers(entry?.[1] ?? [], ["event_id", "r-1", "cents", "1250"])
      const linted = shop('{"event_id":"r-2","cents":"plenty"}\n', "lint", "--kind", "refund")
      assert.match(linted.stdout, /^line 1: cents: /)
      // The reason is said once.
      assert.deepStrictEqual([linted.status, linted.stderr], [1, "1 event, 1 is invalid\n"])
    }).pipe(Effect.scoped)
  )
})

describe("the example of an API", () => {
  it.live("makes one job of each event, and refuses what is not signed", () =>
    Effect.gen(function* () {
      const statuses: Array<number> = []
      const server = makeApi(testKey.public.toString("hex"))
      server.on("request", ({ method }, response) => {
        if (method === "POST") response.on("finish", () => statuses.push(response.statusCode))
      })
      const apiBaseUrl = yield* Effect.promise(() => listening(server))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const collector = JobCollector.layer({ apiBaseUrl, groupStartId: "0" }).pipe(
        Layer.provide([layerLeanHttpClient(), layerNativeSigner(Redacted.make(testKey.private))]),
        Layer.provideMerge(layerMemoryRedis)
      )
      yield* Effect.promise(() => fetch(`${apiBaseUrl}/api/jobs/add`, { method: "POST", body: "{}" }))
      yield* Effect.gen(function* () {
        const redis = yield* Redis
        const delivered = (count: number) =>
          Effect.promise(() => waitUntil("the request is answered", () => statuses.length === 1 + count))
        yield* addEvent(redis, "evt-1")
        yield* delivered(1)
        // A second time the API knows its job.
        yield* addEvent(redis, "evt-1")
        yield* delivered(2)
      }).pipe(Effect.provide(collector), Effect.provide(Logger.layer([])))
      assert.deepStrictEqual(statuses, [401, 200, 409])
    }).pipe(Effect.scoped)
  )
})
