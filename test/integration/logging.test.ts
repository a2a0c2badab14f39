import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { expect } from "vitest"
import * as Logging from "../../src/layers/telemetry/Logging.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** What a process with these logging options prints for one debug, one info and one error line. */
const print = (options: string, before = "") => {
  const script = `
    import { Effect } from "effect"
    import * as Logging from "./src/layers/telemetry/Logging.ts"
    ${before}
    Effect.runSync(
      Effect.logDebug("fine print").pipe(
        Effect.andThen(Effect.logInfo("service started")),
        Effect.andThen(Effect.logError("event abandoned", new Error("HTTP_500"))),
        Effect.annotateLogs({ event_id: "e 1" }),
        Effect.provide(Logging.layer(${options}))
      )
    )`
  const done = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: root, encoding: "utf8" })
  expect(done.status, done.stderr).toBe(0)
  return done
}

const printed = Effect.map(TestConsole.logLines, (lines) => lines.map(String))

describe("logging", () => {
  it("prints one JSON object a line where there is no terminal, from the level on", () => {
    const lines = print(`{ level: "Info" }`).stdout.trim().split("\n")
    const [info, error] = lines.map((line) => JSON.parse(line))
    expect(lines).toHaveLength(2)
    expect(info).toMatchObject({ level: "INFO", message: "service started", annotations: { event_id: "e 1" } })
    expect(info.timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    expect(error).toMatchObject({ level: "ERROR", message: ["event abandoned", expect.anything()] })
  })

  it("prints what the level lets through", () => {
    expect(print(`{ level: "Debug" }`).stdout.trim().split("\n")).toHaveLength(3)
    expect(print(`{ level: "Error" }`).stdout.trim().split("\n")).toHaveLength(1)
  })

  it("prints logfmt", () => {
    const [info] = print(`{ level: "Info", format: "logfmt" }`).stdout.trim().split("\n")
    expect(info).toMatch(/^timestamp=\S+ level=INFO fiber=#\d+ message="service started" event_id="e 1"$/)
  })

  it("prints for people at a terminal, in colours, and without colours where it was asked for elsewhere", () => {
    const atTerminal = (noColor: string) =>
      print(`{ level: "Info" }`, `process.stdout.isTTY = true; process.env.NO_COLOR = "${noColor}"`).stdout
    expect(atTerminal("")).toContain("\u001b[32mINFO\u001b[0m")
    expect(atTerminal("1")).toMatch(/^\[[\d:.]+\] INFO \(#\d+\): service started\n {2}event_id: e 1\n/)
    const piped = print(`{ level: "Info", format: "pretty" }`).stdout
    expect(piped).toMatch(/^\[[\d:.]+\] INFO \(#\d+\): service started\n/)
  })

  it("leaves stdout to the data of a command", () => {
    for (const format of ["json", "pretty"]) {
      const { stderr, stdout } = print(`{ level: "Info", stream: "stderr", format: "${format}" }`)
      expect(stdout).toBe("")
      expect(stderr).toContain("service started")
    }
  })

  for (const format of ["json", "logfmt", "pretty"] as const) {
    it.effect(`lets nothing that others wrote steer the terminal or forge a line: ${format}`, () =>
      Effect.gen(function* () {
        const hostile = "\u001b[2J\u009b1m\u202egnp\u2028\u200b\n[00:00:00.000] ERROR (#1): forged"
        yield* Effect.logError("event.abandoned", new Error(hostile), { nested: hostile }).pipe(
          Effect.annotateLogs({ event_id: hostile, [hostile]: 1, list: [hostile] }),
          Effect.withLogSpan(hostile),
          Effect.provide(Logging.layer({ level: "Info", format }))
        )
        const lines = (yield* printed).join("\n").split("\n")
        for (const line of lines) assert.match(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
        assert.strictEqual(lines.filter((line) => /^\S/.test(line)).length, 1)
        if (format === "json") assert.strictEqual(JSON.parse(lines[0] ?? "").annotations.event_id, hostile)
      })
    )
  }

  it.effect("sums a burst up at a terminal, and leaves each line of it to the JSON log", () =>
    Effect.gen(function* () {
      const burst = Effect.repeat(Effect.logError("event.abandoned"), { times: 11_999 })
      yield* Effect.gen(function* () {
        yield* burst
        assert.strictEqual((yield* printed).length, 20)
        yield* Effect.logInfo("circuit.opened")
        assert.match((yield* printed)[20] ?? "", /INFO .*circuit\.opened/)
        yield* TestClock.adjust("11 seconds")
        assert.match((yield* printed)[21] ?? "", /ERROR event\.abandoned: 11980 more within 10 s/)
        yield* burst
      }).pipe(Effect.provide(Logging.layer({ level: "Info", format: "pretty" })))
      // The rest is said when the log ends.
      assert.strictEqual((yield* printed).length, 22 + 20 + 1)
      yield* burst.pipe(Effect.provide(Logging.layer({ level: "Info", format: "json" })))
      assert.strictEqual((yield* printed).length, 43 + 12_000)
    })
  )
})
