/** The audit on a real Redis, of commands whose own work is not in Redis (contract section 8, Audit). */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { commandLine } from "../support/command-line.ts"
import { freePort, RedisServer } from "../support/redis-server.ts"

describe("config commands", () => {
  let redis: RedisServer
  let folder: string
  beforeAll(async () => {
    redis = await RedisServer.start()
    folder = mkdtempSync(join(tmpdir(), "job-collector-audit-"))
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await redis.stop()
  })

  it("note what they change where the audit is", async () => {
    const environment = { REDIS_URL: redis.url, CONFIG_DIR: folder }
    const held = await commandLine(environment, "config", "hold", "1h", "--as", "anna", "--why", "investigation")
    expect([held.ok, held.err]).toEqual([true, []])
    const { out } = await commandLine(environment, "audit", "list")
    expect(out[0]).toMatch(/^\S+ {2}anna {2}config hold until \S+: investigation$/)
    expect(out[1]).toBe("1 noted")
  })

  it("do their work where Redis is away, and say that nobody noted it", async () => {
    const environment = { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, CONFIG_DIR: folder }
    const began = Date.now()
    const released = await commandLine(environment, "config", "hold", "--off")
    expect([released.ok, released.out]).toEqual([true, ["installs and repairs go on"]])
    expect(released.err).toEqual([expect.stringMatching(/^warning: done, but not noted in the audit: Redis /)])
    expect(Date.now() - began).toBeLessThan(30_000)
  })
})
