import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { isBuiltin } from "node:module"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { commandFiles, importsOf, lazyImportsOf, loadedWith, root } from "../support/bundle.ts"
import { testKey } from "../support/collector-process.ts"
import { waitUntil } from "../support/redis-server.ts"

const modules = commandFiles.filter((file) => file.endsWith(".js"))
const text = (file: string) => readFileSync(join(root, file), "utf8")

describe("the command as a bundle", () => {
  /** A machine that has these files and Node.js. */
  let elsewhere: string
  const command = () => join(elsewhere, "dist/bin.js")
  const inside = () => ({ cwd: tmpdir(), env: { NODE_COMPILE_CACHE: join(elsewhere, "cache") } })

  beforeAll(() => {
    elsewhere = mkdtempSync(join(tmpdir(), "bundle-"))
    for (const file of ["package.json", ...commandFiles]) cpSync(join(root, file), join(elsewhere, file))
  })

  afterAll(() => rmSync(elsewhere, { recursive: true }))

  it("imports nothing but Node.js and itself", () => {
    const required = (file: string) =>
      [...text(file).matchAll(/\b(?:__)?require\(["']([^"']+)["']\)/g)].map(([, from = ""]) => from)
    const named = modules.flatMap((file) => [...importsOf(file), ...lazyImportsOf(file), ...required(file)])
    assert.isAbove(named.length, modules.length)
    const foreign = named.filter((from) => !from.startsWith("./") && !isBuiltin(from))
    assert.deepStrictEqual(foreign, [])
  })

  it("a command is loaded when it is called: help comes without the service, Redis and HTTP", () => {
    const main = loadedWith("dist/command/main.js")
    assert.isAbove(main.size, 1)
    const size = [...main].reduce((sum, file) => sum + text(file).length, 0)
    assert.isBelow(size, 800_000)
    const lazily = modules.filter((file) => !main.has(file))
    assert.isTrue(lazily.some((file) => text(file).includes("node_modules/undici/")))
    for (const file of main) assert.notMatch(text(file), /node_modules\/(?:undici|ioredis|ws)\//, file)
    for (const file of modules) assert.notMatch(text(file), /node_modules\/ws\//, file)
  })

  it("says its version and makes keys from any folder, with nothing beside it", () => {
    const { version } = JSON.parse(text("package.json"))
    const said = spawnSync(process.execPath, [command(), "--version"], { ...inside(), encoding: "utf8" })
    assert.include(said.stdout, version)
    const keys = spawnSync(process.execPath, [command(), "keygen"], { ...inside(), encoding: "utf8" })
    assert.match(keys.stdout, /^ED25519_PRIVATE_KEY=[0-9a-f]{64}\nED25519_PUBLIC_KEY=[0-9a-f]{64}\n$/)
  })

  it("the service runs there, refuses an upgrade of a connection, and stops cleanly", async () => {
    const { cwd, env } = inside()
    const child = spawn(process.execPath, [command(), "run"], {
      cwd,
      env: {
        ...env,
        REDIS_URL: "memory:",
        API_BASE_URL: "http://127.0.0.1:9",
        ED25519_PRIVATE_KEY: testKey.private,
        CONFIG_SYNC: "off",
        HTTP_PORT: "0",
        LOG_FORMAT: "json"
      },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let said = ""
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        said += chunk
      })
    const ended = once(child, "close")
    await waitUntil(
      "it reads its streams",
      () => said.includes('"message":"collecting"') && said.includes('"message":"listening"'),
      40_000
    )
    const port = Number(/"address":"[^"]+:(\d+)"/.exec(said)?.[1])
    const socket = connect(port, "127.0.0.1")
    socket.write(
      "GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n\r\n`
    )
    socket.resume().on("error", () => {})
    await once(socket, "close")
    const live = await fetch(`http://127.0.0.1:${port}/health/live`)
    assert.strictEqual(live.status, 200)
    child.kill("SIGTERM")
    assert.deepStrictEqual((await ended)[0], 0, said)
  })

  it("names each package whose code it has, with its license, and the bill of materials has each", () => {
    const notice = text("dist/command/THIRD-PARTY.txt")
    const named = [...notice.matchAll(/^(\S+) (\S+) \(([\w.-]+)\)$/gm)].map(([, name = ""]) => name)
    const contained = new Set(
      modules.flatMap((file) =>
        [...text(file).matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)].map(([, name = ""]) => name)
      )
    )
    assert.deepStrictEqual(named, [...contained].sort())
    const { packages } = JSON.parse(text("package-lock.json"))
    for (const name of named) assert.notStrictEqual(packages[`node_modules/${name}`].dev, true, name)
  })

  it("neither is a driver with the library before it is used, nor a part of effect with all its modules", () => {
    const loaded = [...loadedWith("dist/index.js")]
    assert.isTrue(loaded.some((file) => text(file).includes("src/programs/collector.ts")))
    const late = loaded
      .flatMap(importsOf)
      .filter((from) =>
        /^(?:(?:ioredis|undici|@effect\/platform-node)\b|effect\/\w+$|effect\/http\/HttpRouter)/.test(from)
      )
    assert.deepStrictEqual(late, [])
  })

  it("its folder has no file that is not part of it", () => {
    const reached = new Set(loadedWith("dist/bin.js"))
    for (let before = 0; before < reached.size; ) {
      before = reached.size
      for (const file of [...reached])
        for (const from of lazyImportsOf(file)) loadedWith(join(dirname(file), from), reached)
    }
    assert.deepStrictEqual(
      modules.filter((file) => !reached.has(file)),
      []
    )
  })
})
