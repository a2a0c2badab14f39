import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** What a process with these logging options prints for one debug, one info and one error line. */
const print = (options: string, before = "") => {
  const script = `
    import { Effect } from "effect"
    import * as Logging from "./src/layers/Logging.ts"
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
    expect(atTerminal("1")).toMatch(/^\[[\d:.]+\] INFO \(#\d+\): service started\n/)
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
})
