import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { afterAll } from "vitest"
import { commandLine } from "../support/command-line.ts"
import { objectOf, processFields, transcribeFields } from "../support/events.ts"

const folder = mkdtempSync(join(tmpdir(), "job-collector-lint-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const now = Date.now()
const event = (id: string, more: Record<string, string> = {}) => objectOf(transcribeFields(id, now, more))
const asData = (id: string) => ({
  ...event(id),
  audio_seconds: 10.5,
  started_at: now - 5,
  completed_at: now,
  metadata: {}
})

const lint = (content: string | Uint8Array, ...args: ReadonlyArray<string>) => {
  const file = join(folder, "events.ndjson")
  writeFileSync(file, content)
  return commandLine({}, "lint", file, ...args)
}
const lines = (...values: ReadonlyArray<unknown>) => values.map((value) => `${JSON.stringify(value)}\n`).join("")

describe("lint", () => {
  it("passes events of both kinds in both forms, and blank lines", async () => {
    const good = [event("a"), asData("b"), objectOf(processFields("c", now)), { data: JSON.stringify(asData("d")) }]
    const ran = await lint(`${lines(...good)}\n \r\n${JSON.stringify(event("e"))}`)
    assert.deepStrictEqual([ran.ok, ran.out.join(""), ran.err], [true, "", ["5 events, all valid"]])
  })

  it("names line, field and rule of each that is invalid", async () => {
    const { audio_seconds, ...kindless } = event("f")
    const bad = lines(
      event("a"),
      event("b", { audio_seconds: "86401" }),
      { ...asData("c"), audio_seconds: "10" },
      event("a"),
      { ...objectOf(processFields("d", now)), total_tokens: "7" },
      event("e", { completed_at: new Date(now + 3_600_000).toISOString() }),
      kindless,
      { ...kindless, audio_seconds, result: "both" },
      [],
      event("with space")
    )
    const twice = '{"event_id":"g","event_id":"g"}\n'
    const ran = await lint(`${bad}nonsense\n${twice}{"event_id":1,"event_id":2,"audio_seconds":1}\n`)
    assert.isFalse(ran.ok)
    assert.deepStrictEqual(ran.out, [
      "line 2: audio_seconds: must be 0 to 86,400 seconds",
      "line 3: audio_seconds: must be a number",
      "line 4: event_id: must not occur twice: an event before has it",
      "line 5: total_tokens: must be prompt_tokens + completion_tokens",
      "line 6: completed_at: must not be further in the future than EVENT_MAX_SKEW allows",
      "line 7: entry: must have either audio_seconds (transcribe) or result and tokens (process)",
      "line 8: entry: must have either audio_seconds (transcribe) or result and tokens (process)",
      "line 9: data: must be a JSON object",
      "line 10: event_id: must be 1 to 128 characters of ! to ~",
      "line 11: data: must be a JSON object, but is not JSON",
      "line 12: event_id: must not occur twice",
      "line 13: event_id: must not occur twice"
    ])
    assert.deepStrictEqual(ran.err, ["13 events, 12 are invalid"])
  })

  it("takes the kind that it is told, and any time where asked", async () => {
    const old = lines(objectOf(transcribeFields("a", now - 400 * 86_400_000)))
    assert.match((await lint(old)).out.join(), /line 1: completed_at: must not be older than EVENT_MAX_AGE allows/)
    assert.isTrue((await lint(old, "--any-time")).ok)
    const json = await lint(old, "--kind", "process", "--json")
    assert.deepStrictEqual(JSON.parse(json.out.join()), { line: 1, field: "result", rule: "is required" })
  })

  it("finds bytes that are not UTF-8, and a line without end", async () => {
    const latin1 = Buffer.from(lines(event("a", { note: "\u00e9" })), "latin1")
    assert.deepStrictEqual((await lint(latin1)).out, ["line 1: note: must be UTF-8"])
    const endless = await lint(`${lines(event("a"))}${"x".repeat(7_000_000)}`)
    assert.deepStrictEqual(endless.out, ["line 2: entry: must be at most 1 MiB"])
  })

  it("says what cannot be read", async () => {
    const ran = await commandLine({}, "lint", join(folder, "none"))
    assert.match(ran.err.join(), /none: cannot be read \(NotFound\)/)
  })
})
