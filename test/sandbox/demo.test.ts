import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { afterEach, beforeEach } from "vitest"
import { waitUntil } from "../support/redis-server.ts"

const demo = fileURLToPath(new URL("../../sandbox/demo.ts", import.meta.url))

/** The processes that a process started, and those that these started. */
const descendants = (pid: number): ReadonlyArray<number> => {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
  const pairs = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
  const below = (parent: number): ReadonlyArray<number> =>
    pairs.filter(([, ppid]) => ppid === parent).flatMap(([child = 0]) => [child, ...below(child)])
  return below(pid)
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe("the demo, on a machine with neither Redis nor PostgreSQL", () => {
  let temporary: string
  let child: ChildProcess
  let said = ""
  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), "job-collector-demo-test-"))
    said = ""
    const { DATABASE_URL: _, ...env } = process.env
    child = spawn(process.execPath, [demo, "--quick", "--redis", "embedded"], {
      env: { ...env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const hear = (data: Buffer) => {
      said += data.toString()
    }
    child.stdout?.on("data", hear)
    child.stderr?.on("data", hear)
  })
  afterEach(async () => {
    const gone = ended()
    child.kill("SIGKILL")
    if (child.exitCode === null && child.signalCode === null) await gone
    rmSync(temporary, { recursive: true, force: true })
  })
  const ended = () =>
    new Promise<number | NodeJS.Signals | null>((resolve) =>
      child.once("close", (code, signal) => resolve(code ?? signal))
    )
  const leavesNothing = async (pids: ReadonlyArray<number>) => {
    assert.isAbove(pids.length, 2)
    await waitUntil("every process has ended", () => !pids.some(isAlive), 30_000)
    await waitUntil("every file is gone", () => readdirSync(temporary).length === 0)
  }

  it("runs through its incidents to a balanced ledger, in plain lines, and leaves nothing behind", async () => {
    const end = ended()
    await waitUntil("events flow", () => said.includes("· delivered"), 60_000)
    const pids = descendants(child.pid!)
    assert.strictEqual(await end, 0, said)
    assert.include(said, "The ledger balances.")
    for (const word of ["embedded Redis engine", "PGlite", "The price of", "is killed (SIGKILL)", "API goes down"]) {
      assert.include(said, word)
    }
    assert.notInclude(said, "\x1b[")
    assert.notInclude(said, "✗")
    await leavesNothing(pids)
  }, 240_000)

  it("takes everything along when it is asked to end", async () => {
    await waitUntil("events flow", () => said.includes("· delivered"), 60_000)
    const pids = descendants(child.pid!)
    const end = ended()
    child.kill("SIGTERM")
    assert.strictEqual(await end, 143)
    await leavesNothing(pids)
  }, 180_000)

  it("takes everything along when it is killed while it starts", async () => {
    await waitUntil("some processes run", () => descendants(child.pid!).length > 2, 60_000)
    const pids = descendants(child.pid!)
    const end = ended()
    child.kill("SIGKILL")
    assert.strictEqual(await end, "SIGKILL")
    await leavesNothing(pids)
  }, 180_000)
})
