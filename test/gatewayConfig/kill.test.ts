import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import { assert, describe, it } from "vitest"
import { Chance } from "../../src/testing/world/chance.ts"
import { waitUntil } from "../support/redis-server.ts"

const script = fileURLToPath(new URL("./support/installer.ts", import.meta.url))

/** A process that waits for its `go`, and what it said. */
const standBy = (directory: string) => {
  const child: ChildProcess = spawn(process.execPath, [script, directory], { stdio: ["pipe", "pipe", "inherit"] })
  const said = { text: "" }
  child.stdout?.on("data", (data) => {
    said.text += String(data)
  })
  return { child, said }
}

const versionsIn = (directory: string): ReadonlyArray<unknown> =>
  ["openai.conf", "models.conf", "limits.conf"].map(
    (name) => JSON.parse(readFileSync(join(directory, name), "utf8")).version
  )

describe("kill -9 of installs on the real file system", () => {
  const kills = Number(process.env.CONFIG_KILLS ?? 25)
  it(`${kills} kills at random instants of at least 200 installs: one version, at any time`, {
    timeout: 600_000
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "job-collector-kill-"))
    const chance = new Chance("kills")
    const reader = new Worker(new URL("./support/reader.ts", import.meta.url), { workerData: directory })
    const ahead = [standBy(directory), standBy(directory)]
    let version = 1
    let installs = 0
    try {
      for (let kill = 0; kill < kills; kill++) {
        const { child, said } = ahead.shift() as ReturnType<typeof standBy>
        ahead.push(standBy(directory))
        await waitUntil("the installer is ready", () => said.text.startsWith("ready"), 60_000)
        child.stdin?.write(`go ${version}\n`)
        const wanted = Math.ceil(200 / kills) + 1
        await waitUntil("it installs", () => said.text.split("\n").length > wanted, 60_000)
        await sleep(chance.next() * 30)
        child.kill("SIGKILL")
        // Not "exit", which may come before the last that it said.
        await once(child, "close")
        const done = said.text.trim().split("\n").slice(1).map(Number)
        installs += done.length
        version = (done.at(-1) ?? version) + 1
        const seen = versionsIn(directory)
        assert.strictEqual(new Set(seen).size, 1, `after kill ${kill}: ${seen}`)
        // The one that was cut short may have been committed, or not.
        assert.include([version - 1, version], seen[0])
        version += 1
      }
      reader.postMessage("stop")
      const [counts] = await once(reader, "message")
      assert.strictEqual(counts.mixtures, 0)
      assert.isAbove(counts.reads, 1_000)
      assert.isAtLeast(installs, 200)
      const last = ahead[0] as ReturnType<typeof standBy>
      await waitUntil("the last installer is ready", () => last.said.text.startsWith("ready"), 60_000)
      last.child.stdin?.write(`go ${version}\n`)
      await waitUntil("it installs", () => last.said.text.split("\n").length > 3, 60_000)
      last.child.kill("SIGKILL")
      await once(last.child, "close")
      assert.isAtMost(readdirSync(join(directory, "generations")).length, 4, "leftovers are swept")
    } finally {
      for (const { child } of ahead) child.kill("SIGKILL")
      await reader.terminate()
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
