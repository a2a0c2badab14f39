import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Redis as IoRedisClient } from "ioredis"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { bundleOf } from "../gatewayConfig/support/bundles.ts"
import { privateKey, publicKey } from "../support/collector-http.ts"
import { commandLine } from "../support/command-line.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { freePort, RedisServer } from "../support/redis-server.ts"
import { group, transcribe } from "../support/streams.ts"

describe("check", () => {
  let redis: RedisServer
  let client: IoRedisClient
  let api: ReceivingApi
  let folder: string
  beforeAll(async () => {
    redis = await RedisServer.start(["--appendonly", "yes"])
    client = new IoRedisClient(redis.url)
  })
  beforeEach(async () => {
    await client.flushall()
    api = await ReceivingApi.start(publicKey)
    api.answerPoll = () => ({ status: 200, body: { ...bundleOf(7) } })
    folder = mkdtempSync(join(tmpdir(), "job-collector-check-"))
  })
  afterEach(async () => {
    await api.close()
    rmSync(folder, { recursive: true, force: true })
  })
  afterAll(async () => {
    client.disconnect()
    await redis.stop()
  })

  const healthy = () => ({
    REDIS_URL: redis.url,
    API_BASE_URL: api.url,
    ED25519_PRIVATE_KEY: privateKey,
    ED25519_PUBLIC_KEY: publicKey.toString("hex"),
    CONFIG_DIR: folder
  })

  const failing = (out: ReadonlyArray<string>) => out.filter((line) => !line.startsWith("✓ "))

  it("is content with a healthy setup, and changes nothing", async () => {
    const { err, ok, out } = await commandLine(healthy(), "check")
    expect(failing(out)).toEqual([])
    expect(ok).toBe(true)
    expect(err).toEqual([])
    const text = out.join("\n")
    for (const said of ["settings", "key", "redis connection", "redis version", "redis persistence"]) {
      expect(text).toContain(`✓ ${said}: `)
    }
    expect(text).toContain(`✓ group of ${transcribe}: will be created`)
    expect(text).toContain("✓ redis eviction policy: noeviction")
    expect(text).toContain(`✓ api: ${api.url} accepts signed requests`)
    expect(text).toContain("✓ configurations: the API has version 7")
    expect(text).toContain("✓ config directory: ")
    expect(text).toContain("✓ gateway: ")
    expect(api.polls).toEqual([{ verified: true }])
    expect(await client.keys("*")).toEqual([])
  })

  it("says of everything broken what is wrong and what to do", async () => {
    await client.set(transcribe, "taken")
    await client.config("SET", "appendonly", "no")
    await client.config("SET", "maxmemory-policy", "allkeys-lru")
    const pidFile = join(folder, "gateway.pid")
    writeFileSync(pidFile, "999999999")
    api.answerPoll = () => ({ status: 401 })
    const broken = {
      ...healthy(),
      // Another key of the same curve: RFC 8032's second test vector.
      ED25519_PUBLIC_KEY: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      CONFIG_DIR: pidFile,
      GATEWAY_PID_FILE: pidFile,
      GATEWAY_STATUS_FILE: join(folder, "nothing"),
      CLAIM_IDLE: "60s"
    }
    try {
      const { err, ok, out } = await commandLine(broken, "check")
      expect(ok).toBe(false)
      expect(failing(out).map((line) => line.split(": ")[0])).toEqual([
        "✗ settings",
        "✗ key",
        "✗ redis persistence",
        "✗ redis eviction policy",
        `✗ group of ${transcribe}`,
        "✗ config directory",
        "✗ gateway",
        "✗ gateway version"
      ])
      for (const line of failing(out)) expect(line).toContain(" → ")
      expect(err).toEqual(["8 checks failed"])
    } finally {
      await client.config("SET", "appendonly", "yes")
      await client.config("SET", "maxmemory-policy", "noeviction")
    }
  })

  it("names a Redis and an API that are away, and one that does not know the key", async () => {
    api.answerPoll = () => ({ status: 401 })
    const unknown = await commandLine(healthy(), "check")
    expect(failing(unknown.out)).toEqual([expect.stringMatching(/✗ api: .*HTTP_401.*register the public key/)])
    await api.close()
    const away = await commandLine({ ...healthy(), REDIS_URL: `redis://127.0.0.1:${await freePort()}` }, "check")
    expect(failing(away.out)).toEqual([
      expect.stringMatching(/✗ redis connection: .*ECONNREFUSED/),
      expect.stringMatching(/✗ api: .*NETWORK/)
    ])
    await api.listen()
  })

  it("names configurations that could not be installed, and a group that is not there", async () => {
    api.answerPoll = () => ({ status: 200, body: { version: "x" } })
    const { out } = await commandLine({ ...healthy(), CONFIG_FILE_GROUP: "no-such-group" }, "check")
    expect(failing(out)).toEqual([
      expect.stringMatching(/✗ configurations: the bundle does not decode: version: .* → correct the API's/),
      expect.stringMatching(/✗ config file group: .*no-such-group/)
    ])
    const off = await commandLine({ ...healthy(), CONFIG_SYNC: "off", CONFIG_FILE_GROUP: "no-such-group" }, "check")
    expect(failing(off.out)).toEqual([])
  })

  it("says what a new group would pass over, who reads a group that is there, and who is gone", async () => {
    for (let i = 0; i < 100; i++) await client.xadd(transcribe, "*", "event_id", `e-${i}`)
    const [process_, dlq] = ["modelsgateway:events:process", "modelsgateway:events:dlq"]
    await client.xgroup("CREATE", process_, "job-collector-group", "$", "MKSTREAM")
    await client.xadd(process_, "*", "event_id", "p-1")
    await client.xreadgroup("GROUP", "job-collector-group", "replica-1", "STREAMS", process_, ">")
    await client.xadd(dlq, "*", "no", "retry")
    const { ok, out } = await commandLine(healthy(), "check")
    expect(ok).toBe(true)
    expect(failing(out)).toEqual([
      `⚠ group of ${transcribe}: will be created at $: 100 entries lie before the group's start and will not be read → set GROUP_START_ID=0 to have them delivered`
    ])
    expect(out).toContainEqual(
      expect.stringMatching(
        /^✓ group of .*:process: exists: lag 0, pending 1, consumers 1 active: replica-1 \(1 pending, /
      )
    )
    expect(out).toContain(`✓ group of ${dlq}: will be created`)
    const late = await commandLine({ ...healthy(), GROUP_START_ID: "0" }, "check")
    expect(failing(late.out)).toEqual([])
  })

  it("warns of what lies open to others, and fails nobody for it", async () => {
    const key = join(folder, "key")
    writeFileSync(key, privateKey, { mode: 0o644 })
    chmodSync(folder, 0o777)
    const { ED25519_PRIVATE_KEY: _, ...others } = healthy()
    const open = { ...others, ED25519_PRIVATE_KEY_FILE: key, NODE_TLS_REJECT_UNAUTHORIZED: "0" }
    const { ok, out } = await commandLine(open, "check")
    expect(ok).toBe(true)
    expect(failing(out)).toEqual([
      "⚠ settings: ED25519_PRIVATE_KEY_FILE: the file it names is open to every user (mode 0644); chmod 600 closes it",
      "⚠ settings: CONFIG_DIR: every user can write to it (mode 0777); chmod 755 prevents it",
      expect.stringMatching(/^⚠ settings: NODE_TLS_REJECT_UNAUTHORIZED: is 0: no server's certificate is checked/)
    ])
    chmodSync(folder, 0o755)
    chmodSync(key, 0o600)
    expect(failing((await commandLine({ ...others, ED25519_PRIVATE_KEY_FILE: key }, "check")).out)).toEqual([])
  })

  it("warns of the traffic rules in force, and is red where they cannot be read", async () => {
    const key = `{${transcribe}}:rules:${group}`
    const set = await commandLine(healthy(), "park", "user_id=u-1", "--as", "anna")
    expect(set.err).toEqual([])
    const traffic = (out: ReadonlyArray<string>) => out.filter((line) => line.includes(" traffic rules: "))
    const { ok, out } = await commandLine(healthy(), "check")
    expect([ok, traffic(out)]).toEqual([
      true,
      [
        expect.stringMatching(
          /^⚠ traffic rules: park user_id=u-1 until it is lifted, set by anna → job-collector rules/
        )
      ]
    ])
    await client.set(key, "garbage")
    const garbage = await commandLine(healthy(), "check")
    expect([garbage.ok, traffic(garbage.out)]).toEqual([
      false,
      [expect.stringMatching(/^✗ traffic rules: they cannot be read: .* → set a rule anew, or delete their key$/)]
    ])
    await client.del(key)
    expect(traffic((await commandLine(healthy(), "check")).out)).toEqual(["✓ traffic rules: none is set"])
  })

  it("gives JSON, and no secret whatever the setup", async () => {
    const { out } = await commandLine({ ...healthy(), CONFIG_SYNC: "maybe" }, "check", "--json")
    const said = JSON.parse(out.join("\n"))
    expect(said.ok).toBe(false)
    expect(said.checks[0]).toEqual({
      check: "settings: CONFIG_SYNC",
      ok: false,
      warning: false,
      found: expect.stringContaining("on"),
      remedy: "correct it"
    })
    expect(JSON.stringify(out)).not.toContain(privateKey)
  })
})
