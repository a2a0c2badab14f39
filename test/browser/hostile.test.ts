/** Events, rules and audit records whose every text is markup, seen in a browser: text everywhere, and nothing runs. */
import { Redis as IoRedisClient } from "ioredis"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, it } from "vitest"
import { encodeAbandonedEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import { openBrowser, Watched } from "../support/browser.ts"
import { CollectorProcess } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { RedisServer } from "../support/redis-server.ts"
import { abandoned, dlq, transcribe } from "../support/streams.ts"
import { addressOf } from "./stage.ts"

const markup = `"'><script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)><a href=javascript:alert(1)>x</a>\u202e`

let redis: RedisServer
let console: CollectorProcess
let browser: Browser
let origin: string

beforeAll(async () => {
  ;[redis, browser] = await Promise.all([RedisServer.start([]), openBrowser()])
  const client = new IoRedisClient(redis.url)
  const now = Date.now()
  const fields = transcribeFields(markup, now, {
    user_id: markup,
    model: markup,
    device_id: markup,
    session_id: markup,
    metadata: markup,
    [markup]: markup
  })
  const about = {
    attempts: 4,
    origin_stream: markup,
    origin_id: "1-0",
    first_failed_at: now,
    error_code: markup,
    error_message: markup
  }
  const failed = { at: now, error_code: markup, error_message: markup, status: 500, duration_ms: 1, consumer: markup }
  const given = { ...about, reason: "exhausted", abandoned_at: now } as const
  await client.xadd(abandoned, "*", ...encodeAbandonedEntry(given, fields, { history: [failed], replayed: [failed] }))
  await client.xadd(dlq, "*", ...encodeDlqEntry({ ...about, attempt: 1, not_before: now, last_failed_at: now }, fields))
  await client.xadd(abandoned, "*", markup, markup)
  await client.xadd(transcribe, "*", ...fields)
  const noted = { at: now, who: markup, action: markup, target: markup, filter: markup, why: markup }
  await client.xadd(`{${transcribe}}:audit`, "*", "audit", JSON.stringify(noted))
  client.disconnect()
  console = CollectorProcess.start({ REDIS_URL: redis.url, CONSOLE_PORT: "0" }, ["console"])
  origin = await addressOf(console)
})
afterAll(async () => {
  await browser?.close()
  await console?.end("SIGTERM")
  await redis?.stop()
})

it("is text in every page", async () => {
  const watched = await Watched.open(browser, origin)
  const { page } = watched
  const given = encodeURIComponent(markup)
  const paths = [
    "/",
    ...["abandoned", "dlq"].flatMap((place) =>
      ["error", "stream", "model", "user", "hour"].map((by) => `/failures?place=${place}&by=${by}`)
    ),
    `/failures?user=${given}&message=${given}&model=${given}`,
    `/failures?by=${given}&place=${given}&look=${given}`,
    `/failures?where=${given}`,
    "/failures/report",
    `/event?id=${given}&payload=shown`,
    `/event?id=${given}&stream=${given}&entry=${given}`,
    "/traffic",
    "/jobs",
    "/configuration",
    "/audit",
    `/sign-in?next=${given}`,
    `/${given}`
  ]
  let seen = 0
  for (const path of paths) {
    expect([200, 400, 404], path).toContain(await watched.goto(path))
    const foreign = await page.evaluate<ReadonlyArray<string>>(
      `[...document.querySelectorAll("img, svg[onload], iframe, [onerror], [onload], a[href^=javascript], script:not([src^='/assets/'])")].map((found) => found.outerHTML)`
    )
    expect(foreign, path).toEqual([])
    if ((await page.locator("main").textContent())?.includes("<script>alert(1)</script>")) seen += 1
  }
  expect(seen, "pages that show it").toBeGreaterThan(12)
  expect(watched.problems).toEqual([])
  await watched.close()
})
