import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Redis as IoRedis } from "ioredis"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { commandLine } from "../support/command-line.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"

const stream = (role: string) => `modelsgateway:events:${role}`
const roles = ["service", "producer", "operator-read", "operator-act"] as const
const aclOf = (role: (typeof roles)[number]) =>
  readFileSync(fileURLToPath(new URL(`../../deploy/redis/${role}.acl`, import.meta.url)), "utf8")

/** The files as they stand in `deploy/redis`, loaded by a real server: each user has exactly those rights. */
describe("the ACL files", () => {
  let folder: string
  let redis: RedisServer
  let admin: IoRedis
  let api: ReceivingApi

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "job-collector-acl-"))
    const users = roles.map((role) =>
      aclOf(role)
        .replaceAll(/^#.*\n/gm, "")
        .replace(">CHANGE-ME", ">secret")
    )
    // Redis reads no comments in such a file.
    writeFileSync(join(folder, "users.acl"), users.join(""))
    redis = await RedisServer.start(["--aclfile", join(folder, "users.acl"), "--appendonly", "yes"])
    admin = new IoRedis(redis.url)
    api = await ReceivingApi.start(testKey.public)
  })
  beforeEach(async () => {
    await admin.flushall()
    await admin.call("ACL", "LOG", "RESET")
  })
  afterAll(async () => {
    admin?.disconnect()
    await api?.close()
    await redis?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const urlOf = (user: string) => redis.url.replace("redis://", `redis://${user}:secret@`)
  const settings = () => ({
    REDIS_URL: urlOf("job-collector"),
    API_BASE_URL: api.url,
    GROUP_START_ID: "0",
    SOURCE_RETENTION: "acknowledged",
    OUTCOME_RETENTION: "1 day",
    HEALTH_INTERVAL: "1 second"
  })
  const refusals = async () => {
    const log = (await admin.call("ACL", "LOG")) as ReadonlyArray<ReadonlyArray<unknown>>
    return log.map((flat) => [flat[flat.indexOf("object") + 1], flat[flat.indexOf("username") + 1]])
  }
  const produce = async (id: string, fields: Record<string, string> = {}) => {
    const producer = new IoRedis(urlOf("gateway"), { disableClientInfo: true, enableReadyCheck: false })
    await producer.xadd(stream("transcribe"), "*", ...transcribeFields(id, Date.now(), fields))
    producer.disconnect()
  }

  it("let the service deliver, retry, abandon and trim, and the operator look and act; nothing is refused", async () => {
    await produce("good")
    await produce("bad", { audio_seconds: "-1" })
    const collector = CollectorProcess.start(settings())
    try {
      await waitUntil("the bad event is abandoned", async () => (await admin.xlen(stream("abandoned"))) === 1)
      await waitUntil("the good event is acknowledged", async () => {
        const summary = await admin.xpending(stream("transcribe"), "job-collector-group")
        return summary[0] === 0 && (await collector.text("/metrics"))?.includes('outcome="delivered"} 1') === true
      })
      const operator = { REDIS_URL: urlOf("operator-act") }
      const looker = { REDIS_URL: urlOf("operator-read") }
      const [entry] = await admin.xrange(stream("abandoned"), "-", "+")
      for (const args of [
        ["abandoned", "list"],
        ["abandoned", "show", entry?.[0] ?? ""],
        ["dlq", "list"],
        ["why", "bad"],
        ["why", "good"],
        ["rules"],
        ["top"],
        ["audit", "list"]
      ]) {
        const ran = await commandLine(looker, ...args)
        expect(ran.err.join("\n"), args.join(" ")).not.toMatch(/NOPERM|permission/)
      }
      for (const args of [["pause", "1h"], ["resume"], ["limit", "5/s"], ["limit", "off"], ["audit", "list"]]) {
        const ran = await commandLine(operator, ...args)
        expect([ran.ok, ran.err], args.join(" ")).toEqual([true, []])
      }
      const replayed = await commandLine(operator, "abandoned", "replay", "--all", "--yes")
      expect(replayed.err.join("\n")).not.toMatch(/NOPERM|permission/)
      expect(replayed.ok).toBe(true)
      await waitUntil(
        "the replayed event is abandoned again",
        async () => (await admin.xlen(stream("abandoned"))) === 1
      )
      const retry = {
        attempt: 1,
        not_before: Date.now() + 60_000,
        origin_stream: stream("transcribe"),
        origin_id: "1-0"
      }
      const failure = { first_failed_at: 0, last_failed_at: 0, error_code: "TIMEOUT", error_message: "late" }
      await admin.xadd(stream("dlq"), "*", ...encodeDlqEntry({ ...retry, ...failure }, ["event_id", "late"]))
      const file = join(folder, "dropped.ndjson")
      for (const args of [
        ["dlq", "retry", "--event-id", "late", "--yes"],
        ["dlq", "drop", "--event-id", "never", "--yes"],
        ["abandoned", "drop", "--all", "--yes", "--export", file],
        ["abandoned", "import", file, "--yes"],
        ["abandoned", "drop", "--all", "--yes"]
      ]) {
        const ran = await commandLine(operator, ...args)
        expect(ran.err.join("\n"), args.join(" ")).not.toMatch(/NOPERM|permission/)
        expect(ran.ok, args.join(" ")).toBe(true)
      }
      // What was made due at once has no valid event, and may be abandoned by now.
      expect(await admin.xlen(stream("abandoned"))).toBeLessThanOrEqual(1)
      expect(await collector.end("SIGTERM")).toBe(0)
    } finally {
      collector.child.kill("SIGKILL")
    }
    expect(await refusals()).toEqual([])
  })

  it("refuse a producer everything but adding, and a looking operator every change", async () => {
    const producer = new IoRedis(urlOf("gateway"), { disableClientInfo: true, enableReadyCheck: false })
    await expect(producer.xrange(stream("transcribe"), "-", "+")).rejects.toThrow(/NOPERM/)
    await expect(producer.xadd(stream("dlq"), "*", "f", "v")).rejects.toThrow(/NOPERM/)
    producer.disconnect()
    await admin.xadd(stream("abandoned"), "1-1", "event", "{}")
    const dropped = await commandLine({ REDIS_URL: urlOf("operator-read") }, "abandoned", "drop", "--all", "--yes")
    expect(dropped.ok).toBe(false)
    expect(await admin.xlen(stream("abandoned"))).toBe(1)
    for (const args of [["pause"], ["park", "user_id=u-1"]]) {
      const ran = await commandLine({ REDIS_URL: urlOf("operator-read") }, ...args)
      expect([ran.ok, ran.err.join("\n")], args.join(" ")).toEqual([false, expect.stringMatching(/NOPERM|permission/)])
    }
  })

  it("without one command are not enough: run ends with exit 1 and check is red, both naming command and key", async () => {
    const complete = aclOf("service")
      .split("\n")
      .filter((line) => line.startsWith("user "))
      .join(" ")
      .split(" ")
      .slice(2)
    for (const [lacking, named] of [
      ["+xadd ~modelsgateway:events:dlq", "XADD on modelsgateway:events:dlq"],
      ["+xadd +xrevrange +xinfo|groups", "XADD on modelsgateway:events:abandoned"],
      ["+xautoclaim +xack +exists", "XACK on modelsgateway:events:transcribe"]
    ] as const) {
      const words = complete.join(" ").replace(">CHANGE-ME", ">secret")
      const rules = lacking.startsWith("+xadd ~")
        ? words.replace("+xadd +xdel ~modelsgateway:events:dlq", "+xdel ~modelsgateway:events:dlq")
        : lacking.startsWith("+xadd +xrev")
          ? words.replace("+xadd +xrevrange +xinfo", "+xrevrange +xinfo")
          : words.replace("+xautoclaim +xack +exists", "+xautoclaim +exists")
      expect(rules).not.toBe(words)
      await admin.call("ACL", "SETUSER", "lacking", "reset", ...rules.match(/\([^)]*\)|\S+/g)!)
      const environment = { ...settings(), REDIS_URL: urlOf("lacking") }
      const collector = CollectorProcess.start(environment)
      expect(await collector.exit(), named).toBe(1)
      expect(collector.lines.join("\n")).toContain(named)
      const checked = await commandLine({ ...environment, ED25519_PRIVATE_KEY: testKey.private }, "check")
      expect(checked.out.join("\n")).toContain(`✗ redis permissions: the user may not run ${named}`)
    }
  })
})
