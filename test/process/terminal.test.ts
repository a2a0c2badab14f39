/** The operator's commands on a real terminal: what is shown at 80 and 140 columns, and what is asked. */
import { stripVTControlCharacters } from "node:util"
import { CliOutput } from "effect/cli"
import { Redis as IoRedis } from "ioredis"
import { afterAll, beforeAll, expect, it } from "vitest"
import { encodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import { transcribeFields } from "../support/events.ts"
import { ensurePython } from "../support/python.ts"
import { RedisServer } from "../support/redis-server.ts"
import { abandoned, transcribe } from "../support/streams.ts"
import { type OnTerminal, onTerminal } from "../support/terminal.ts"

let redis: RedisServer
let client: IoRedis
let python: string

beforeAll(async () => {
  const found = ensurePython("pty", "python3-minimal")
  if (found === undefined) throw new Error("a pseudo-terminal takes Python: install python3")
  python = found
  redis = await RedisServer.start([])
  client = new IoRedis(redis.url)
  for (const [at, id] of [
    [1, "evt-1"],
    [2, "\u001b[31mevt-2\u202e"],
    [3, "x".repeat(1_000_000)]
  ] as const) {
    const said = {
      reason: "exhausted",
      attempts: 4,
      origin_stream: transcribe,
      origin_id: "1-0",
      first_failed_at: 0,
      abandoned_at: at,
      error_code: "HTTP_503",
      error_message: `OVERLOADED\n${"shed ".repeat(200)}`
    } as const
    await client.xadd(abandoned, `${at}-0`, ...encodeAbandonedEntry(said, transcribeFields(id, 0)))
  }
})
afterAll(async () => {
  client?.disconnect()
  await redis?.stop()
})

const terminal = (columns: number, more: Partial<OnTerminal> = {}): OnTerminal => ({
  python,
  columns,
  env: { ...process.env, NO_COLOR: "", TERM: "xterm", REDIS_URL: redis.url },
  ...more
})

it("a list fits 80 columns and 140, in colours but not with NO_COLOR", async () => {
  for (const columns of [80, 140]) {
    const env = { ...process.env, NO_COLOR: "1", TERM: "xterm", REDIS_URL: redis.url }
    const plain = await onTerminal(terminal(columns, { env }), "abandoned", "list")
    const coloured = await onTerminal(terminal(columns), "abandoned", "list")
    expect(plain.code).toBe(0)
    expect(plain.lines).toHaveLength(5)
    for (const line of plain.lines) {
      expect(CliOutput.displayWidth(line)).toBeLessThanOrEqual(columns)
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    }
    expect(plain.lines[0]).toMatch(columns === 80 ? /^ +AGE {2}EVENT +REASON/ : /^ +AGE {2}ID +EVENT +REASON/)
    expect(coloured.lines[0]).toContain("\u001b[1m")
    expect(coloured.lines.map(stripVTControlCharacters).join("\n").replaceAll(/\d+d/g, "")).toBe(
      plain.lines.join("\n").replaceAll(/\d+d/g, "")
    )
  }
}, 60_000)

it("what changes something asks, and takes only yes for yes", async () => {
  const asked = "Replay 1 event that matches evt-1? [y/N] "
  const no = await onTerminal(terminal(80, { answer: ["[y/N]", "no\n"] }), "abandoned", "replay", "evt-1")
  expect(no.code).toBe(1)
  expect(no.lines[0]).toContain(asked)
  expect(no.lines.at(-1)).toBe("nothing was changed")
  expect(await client.xlen(abandoned)).toBe(3)
  const interrupted = await onTerminal(terminal(80, { answer: ["[y/N]", "\u0003"] }), "abandoned", "replay", "evt-1")
  expect(await client.xlen(abandoned)).toBe(3)
  expect(interrupted.lines.join("\n")).not.toContain("replayed")
  const yes = await onTerminal(terminal(80, { answer: ["[y/N]", "y\n"] }), "abandoned", "replay", "evt-1")
  expect(yes.code).toBe(0)
  expect(yes.lines.at(-1)).toBe("1 replayed")
  expect(await client.xlen(abandoned)).toBe(2)
}, 60_000)

it("top draws a frame of 24 rows on a screen of its own, and q brings back what was there", async () => {
  const { code, lines } = await onTerminal(terminal(80, { answer: ["no replica runs", "q"] }), "top")
  const shown = lines.join("\r\n")
  expect(code).toBe(0)
  expect(shown).toContain("nothing is read: no replica runs")
  expect([shown.startsWith("\u001b[?1049h"), shown.endsWith("\u001b[?1049l")]).toEqual([true, true])
})
