import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Redis as IoRedisClient } from "ioredis"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { freePort, RedisServer, waitUntil } from "../support/redis-server.ts"

const entry = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))

/** A command whose standard output, and error if asked, is a full disk. */
const onFullDisk = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>, both: boolean) => {
  const full = openSync("/dev/full", "w")
  const child = spawn(process.execPath, [entry, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", full, both ? full : "pipe"]
  })
  let said = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text
  })
  const ended = once(child, "close").then(([status, signal]) => ({ status, signal, said }))
  return { child, ended }
}

/** The state of a process by /proc, such as S or Z; undefined where there is none. */
const stateOf = (pid: number): string | undefined => {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]
  } catch {
    return undefined
  }
}

const isRunning = (pid: number): boolean => ![undefined, "Z", "X"].includes(stateOf(pid))

/** Whether what a process writes to its output fails. */
const writeFails = (pid: number): boolean => {
  try {
    writeFileSync(`/proc/${pid}/fd/1`, "")
    return false
  } catch {
    return true
  }
}

describe("the process in its surroundings", () => {
  let redis: RedisServer
  let api: ReceivingApi
  let client: IoRedisClient

  beforeAll(async () => {
    redis = await RedisServer.start()
    api = await ReceivingApi.start(testKey.public)
    client = new IoRedisClient(redis.url)
  })

  afterAll(async () => {
    client.disconnect()
    await api.close()
    await redis.stop()
  })

  it("the service works on where neither its log nor its errors can be written", async () => {
    const port = await freePort()
    const { child, ended } = onFullDisk(
      ["run"],
      {
        REDIS_URL: redis.url,
        API_BASE_URL: api.url,
        ED25519_PRIVATE_KEY: testKey.private,
        CONFIG_SYNC: "off",
        GROUP_START_ID: "0",
        LOG_LEVEL: "debug",
        HTTP_PORT: `${port}`
      },
      true
    )
    await client.xadd("modelsgateway:events:transcribe", "*", ...transcribeFields("unlogged", Date.now()))
    await waitUntil("the event is delivered", () => api.requests.some(({ eventId }) => eventId === "unlogged"), 60_000)
    assert.strictEqual((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200)
    child.kill("SIGTERM")
    assert.deepInclude(await ended, { status: 0, signal: null })
  }, 120_000)

  it("the service works on after the terminal that it writes to went away", async () => {
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), "terminal-"))
    const pidFile = join(folder, "pid")
    // In a session of its own, so that it lives when the terminal's is hung up, as under nohup.
    const inner = `echo $$ > ${pidFile}; exec ${process.execPath} ${entry} run`
    const terminal = spawn("script", ["-qec", `setsid --wait sh -c '${inner}'`, "/dev/null"], {
      env: {
        PATH: process.env.PATH,
        REDIS_URL: redis.url,
        API_BASE_URL: api.url,
        ED25519_PRIVATE_KEY: testKey.private,
        CONFIG_SYNC: "off",
        CONSUMER_NAME: "on-a-terminal",
        LOG_LEVEL: "debug",
        HTTP_PORT: `${port}`
      },
      stdio: ["pipe", "ignore", "ignore"]
    })
    const isReady = () =>
      fetch(`http://127.0.0.1:${port}/health/ready`).then(
        ({ status }) => status === 200,
        () => false
      )
    await waitUntil("it is ready", isReady, 60_000)
    const pid = Number(readFileSync(pidFile, "utf8"))
    terminal.kill("SIGKILL")
    await once(terminal, "close")
    await waitUntil("its terminal is gone", () => writeFails(pid))
    const abandoned = () => client.xlen("modelsgateway:events:abandoned")
    const before = await abandoned()
    for (const bad of [1, 2]) {
      await client.xadd("modelsgateway:events:transcribe", "*", "event_id", `bad-${bad}`)
      await waitUntil(
        "a bad event is abandoned, which is logged",
        async () => (await abandoned()) === before + bad,
        60_000
      )
    }
    await client.xadd("modelsgateway:events:transcribe", "*", ...transcribeFields("no-terminal", Date.now()))
    await waitUntil("it goes on", () => api.requests.some(({ eventId }) => eventId === "no-terminal"), 60_000)
    assert.isTrue(await isReady())
    process.kill(pid, "SIGTERM")
    await waitUntil("it ended", async () => !(await isReady()) && !isRunning(pid), 60_000)
    rmSync(folder, { recursive: true })
  }, 120_000)

  it("a command whose output is lost says so and ends with exit 1, without a stack trace", async () => {
    const { status, said } = await onFullDisk(["keygen"], {}, false).ended
    assert.strictEqual(status, 1)
    assert.match(said, /^The output cannot be written: ENOSPC[^\n]*\n$/)
    assert.deepInclude(await onFullDisk(["keygen"], {}, true).ended, { status: 1, signal: null })
  }, 120_000)

  it("a SIGTERM that comes while the program is loaded ends it with exit 0", async () => {
    const hook = `import { registerHooks } from "node:module"
      registerHooks({ load: (url, context, next) => {
        if (url.endsWith("/main.js")) process.kill(process.pid, "SIGTERM")
        return next(url, context)
      } })`
    const options = `--import=data:text/javascript,${encodeURIComponent(hook)}`
    const early = CollectorProcess.start({ NODE_OPTIONS: options, REDIS_URL: redis.url, API_BASE_URL: api.url })
    assert.strictEqual(await early.exit(), 0)
    assert.deepStrictEqual(early.lines, [], "nothing was started")
  }, 120_000)

  it("as PID 1 it ends with exit 0 at a SIGTERM, while it is loaded and while it runs", async (context) => {
    const ways = [[], ["--user", "--map-root-user"]].map((way) => [
      ...way,
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc"
    ])
    const way = ways.find((way) => spawnSync("unshare", [...way, "true"]).status === 0)
    if (way === undefined) return context.skip("unshare may not make a PID namespace here")
    const onLoad = `import { registerHooks } from "node:module"
      registerHooks({ load: (url, context, next) => {
        if (url.endsWith("/main.js")) process.kill(process.pid, "SIGTERM")
        return next(url, context)
      } })`
    const onCollecting = `const write = process.stdout.write
      process.stdout.write = function (text, ...more) {
        if (String(text).includes('"collecting"')) process.kill(process.pid, "SIGTERM")
        return write.call(this, text, ...more)
      }`
    const moments = [
      { hook: onLoad, ran: false },
      { hook: onCollecting, ran: true }
    ]
    for (const { hook, ran } of moments) {
      const child = spawn("unshare", [...way, process.execPath, entry, "run"], {
        env: {
          PATH: process.env.PATH,
          NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`,
          REDIS_URL: redis.url,
          API_BASE_URL: api.url,
          ED25519_PRIVATE_KEY: testKey.private,
          CONFIG_SYNC: "off",
          CONSUMER_NAME: "first-process",
          LOG_FORMAT: "json",
          HTTP_PORT: "0"
        },
        stdio: ["ignore", "pipe", "inherit"]
      })
      let log = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        log += text
      })
      const [status] = await once(child, "close")
      assert.strictEqual(status, 0, log)
      assert.strictEqual(log.includes('"stopped"'), ran, log)
    }
  }, 120_000)

  it("SIGHUP does not end the service, and SIGUSR1 opens no debugger", async () => {
    const collector = CollectorProcess.start({ REDIS_URL: redis.url, API_BASE_URL: api.url })
    await collector.collecting()
    collector.child.kill("SIGHUP")
    collector.child.kill("SIGUSR1")
    await client.xadd("modelsgateway:events:transcribe", "*", ...transcribeFields("after-signals", Date.now()))
    await waitUntil("it goes on", () => api.requests.some(({ eventId }) => eventId === "after-signals"), 60_000)
    assert.strictEqual(await collector.end("SIGTERM"), 0)
    assert.isFalse(collector.said("Debugger"), collector.lines.join("\n"))
  }, 120_000)
})
