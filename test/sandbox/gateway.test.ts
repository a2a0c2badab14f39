import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Redis as Client } from "ioredis"
import { afterAll, beforeAll } from "vitest"
import { eventOf } from "../../sandbox/gateway/events.ts"
import { GatewayProcess } from "../../sandbox/gateway/process.ts"
import * as JobEvent from "../../src/domain/events/jobEvent.ts"
import { native } from "../../src/layers/signing/native.ts"
import { freePort, RedisServer, waitUntil } from "../support/redis-server.ts"

const files = (version: number, input: number) => ({
  "openai.conf": { version, openai_keys: [{ id: "primary", key: "sk-of-the-test" }] },
  "models.conf": {
    version,
    model_configs: [{ id: "gpt-4o", provider: "openai", enabled: true, rules: {}, costs: { input, output: 10 } }]
  },
  "limits.conf": { version, rate_limits: [{ model: "gpt-4o", requests_per_minute: 1, tokens_per_minute: 1 }] }
})

/** Installs a version as a folder behind the link `current`. */
const install = (directory: string, version: number, contents: Record<string, unknown> = files(version, version)) => {
  const generation = join(directory, `generation-${version}`)
  mkdirSync(generation)
  for (const [name, content] of Object.entries(contents)) {
    writeFileSync(join(generation, name), typeof content === "string" ? content : JSON.stringify(content))
  }
  symlinkSync(`generation-${version}`, join(directory, "next"))
  renameSync(join(directory, "next"), join(directory, "current"))
}

const readContext = {
  source: { stream: "s", id: `${Date.parse("2026-01-01T00:00:00Z")}-0` },
  now: Date.parse("2026-01-01T00:00:00Z"),
  firstReading: true,
  maxAgeMs: 60_000,
  maxSkewMs: 60_000,
  partedBy: [],
  sha256: native.sha256
}

describe("the gateway's events", () => {
  it.effect("are the same for the same seed, and valid but for those that are meant not to be", () =>
    Effect.gen(function* () {
      const events = yield* Effect.forEach(
        Array.from({ length: 1_000 }, (_, i) => i),
        (n) => eventOf("seed", n, readContext.now)
      )
      assert.deepStrictEqual(yield* eventOf("seed", 777, readContext.now), events[777])
      assert.notDeepEqual((yield* eventOf("another", 777, readContext.now)).fields, events[777]!.fields)
      assert.strictEqual(new Set(events.map(({ eventId }) => eventId)).size, 1_000)
      for (const event of events) {
        const kind = event.kind === "process" ? JobEvent.process : JobEvent.transcribe
        const prepared = kind.prepare(event.fields, readContext)
        assert.strictEqual(Result.isFailure(prepared), event.flaw === "invalid", event.eventId)
        if (Result.isSuccess(prepared)) assert.strictEqual(prepared.success.eventId, event.eventId)
      }
      const counted = (flaw: string) => events.filter((event) => event.flaw === flaw).length
      assert.deepStrictEqual(["invalid", "unknown-user"].map(counted), [10, 5])
      assert.strictEqual(events.filter(({ twice }) => twice).length, 12)
      assert.isTrue(events.some(({ fields }) => fields.length === 2))
    })
  )
})

describe("the gateway as a process", () => {
  let redis: RedisServer
  let directory: string
  let gateway: GatewayProcess
  let config: string
  beforeAll(async () => {
    redis = await RedisServer.start()
    directory = mkdtempSync(join(tmpdir(), "job-collector-gateway-"))
    config = join(directory, "config")
    mkdirSync(config)
    gateway = await GatewayProcess.start({
      port: await freePort(),
      redisUrl: redis.url,
      configDirectory: config,
      runDirectory: directory,
      seed: "test"
    })
  }, 120_000)
  afterAll(async () => {
    await gateway?.child.stop()
    await redis?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** What the status file says: a version runs a moment before it is reported there, and none is before the first. */
  const reportedVersion = (): number | undefined =>
    existsSync(gateway.statusFile) ? JSON.parse(readFileSync(gateway.statusFile, "utf8")).version : undefined
  const hangup = () => process.kill(Number(readFileSync(gateway.pidFile, "utf8")), "SIGHUP")
  const complete = () =>
    fetch(`${gateway.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o", prompt: "one two three four five six seven eight nine ten" })
    })

  it("runs without a configuration, and loads one when told", async () => {
    assert.strictEqual((await gateway.status()).version, null)
    assert.isUndefined(reportedVersion())
    assert.strictEqual((await complete()).status, 503)
    install(config, 1)
    hangup()
    await waitUntil("version 1 is reported", () => reportedVersion() === 1)
    assert.strictEqual((await gateway.status()).version, 1)
  })

  it("reloads twenty times without a dropped request or connection, each answer of one version", async () => {
    let stop = false
    const begunWith = new Set<number>()
    const client = async (number: number) => {
      // One after the other, so that at any moment some requests have just begun and others are about to end.
      await sleep(25 * number)
      while (!stop) {
        const answer = await complete()
        assert.strictEqual(answer.status, 200)
        const begun = Number(answer.headers.get("x-configuration-version"))
        begunWith.add(begun)
        assert.include(await answer.text(), `ten \n[version ${begun}]`)
        const models = (await (await fetch(`${gateway.url}/v1/models`)).json()) as {
          version: number
          models: ReadonlyArray<{ costs: { input: number } }>
        }
        assert.strictEqual(models.models[0]!.costs.input, models.version)
      }
    }
    const reloads = async () => {
      for (let version = 2; version <= 21; version++) {
        install(config, version)
        hangup()
        await waitUntil(`version ${version} is reported`, () => reportedVersion() === version)
        await waitUntil(`a request begins with version ${version}`, () => begunWith.has(version))
      }
    }
    const clients = Promise.all(Array.from({ length: 12 }, (_, number) => client(number)))
    // A client that fails ends the test with its reason, not with what was waited for in vain.
    await Promise.race([clients, reloads()]).finally(() => {
      stop = true
    })
    await clients
    assert.strictEqual((await gateway.status()).version, 21)
  }, 120_000)

  it("keeps what runs when files are broken or of different versions, and says so", async () => {
    const broken = [
      { ...files(22, 1), "models.conf": "{" },
      { ...files(23, 1), "limits.conf": files(22, 1)["limits.conf"] }
    ]
    for (const [i, contents] of broken.entries()) {
      const { reloads } = await gateway.status()
      install(config, 22 + i, contents)
      hangup()
      await waitUntil("the reload is done", async () => (await gateway.status()).reloads === reloads + 1)
      const { version, problem } = await gateway.status()
      assert.strictEqual(version, 21)
      assert.include(String(problem), ["models.conf", "different versions"][i] ?? "")
      assert.strictEqual(reportedVersion(), 21)
    }
    assert.notInclude(gateway.child.output, "sk-of-the-test")
  })

  it("adds what is ordered, at the rate that is ordered", async () => {
    const started = performance.now()
    await gateway.produce({ count: 300, rate: 300 })
    await waitUntil("the order is done", async () => !(await gateway.status()).busy)
    const took = performance.now() - started
    assert.isAtLeast(took, 950)
    const { entries, events } = await gateway.status()
    assert.strictEqual(events, 300)
    const client = new Client(redis.url)
    const lengths = await Promise.all(
      ["transcribe", "process"].map((kind) => client.xlen(`modelsgateway:events:${kind}`))
    )
    client.disconnect()
    assert.strictEqual(lengths[0]! + lengths[1]!, entries)
    assert.strictEqual(entries, 304)
    assert.strictEqual((await fetch(`${gateway.url}/produce`, { method: "POST", body: "{}" })).status, 400)
  })

  it("ends cleanly and takes its pid file along", async () => {
    assert.deepStrictEqual(await gateway.child.stop(), { code: 0, signal: null })
    assert.throws(() => readFileSync(gateway.pidFile))
  })
})
