import { type ChildProcess, spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { createSocket } from "node:dgram"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** Below the ports that the system gives to outgoing connections, which come and go by the thousand in these tests. */
const lowestPort = 11_000
const highestPort = 31_999

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/**
 * Keeps a port for this process as long as it lives: the UDP port of the same number, of which no two can be had. So two
 * test files never choose the same, nor does one take another's while the server on it is down for a moment.
 */
const reserve = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4")
    socket.once("error", () => resolve(false))
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => resolve(true))
    socket.unref()
  })

/** A port that is free, and that nobody else who looks for one is given while this process lives. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(lowestPort, highestPort + 1)
    if ((await reserve(port)) && (await isFree(port))) return port
  }
}

/** Polls a condition until it holds; rejects with what was awaited when it does not hold after the deadline. */
export const waitUntil = async (
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 20_000
): Promise<void> => {
  const end = performance.now() + deadlineMs
  for (let last = false; !(await condition()); await sleep(20)) {
    if (last) throw new Error(`Not within ${deadlineMs} ms: ${what}`)
    // Looked at once more after the deadline: a process that was paused has missed its polls.
    last = performance.now() > end
  }
}

/** Whether a server answers PING on a loopback port, be it with a demand for a password. */
export const answersPing = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("error", () => done(false))
    socket.once("data", (data) => done(data.toString().startsWith("+PONG") || data.toString().startsWith("-NOAUTH")))
    socket.once("connect", () => socket.write("PING\r\n"))
    socket.setTimeout(1_000, () => done(false))
  })

/** A private redis-server process on a free loopback port, its data in a temporary folder. */
export class RedisServer {
  readonly port: number
  readonly directory: string
  readonly args: ReadonlyArray<string>
  private child: ChildProcess | undefined

  private constructor(port: number, args: ReadonlyArray<string>) {
    this.port = port
    this.args = args
    this.directory = mkdtempSync(join(tmpdir(), "job-collector-redis-"))
  }

  static async start(args: ReadonlyArray<string> = []): Promise<RedisServer> {
    return RedisServer.startOn(await freePort(), args)
  }

  /** Starts on a port chosen before. */
  static async startOn(port: number, args: ReadonlyArray<string> = []): Promise<RedisServer> {
    const server = new RedisServer(port, args)
    await server.up()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  /** Starts the process (again, on the same port and data) and waits until it answers. */
  async up(): Promise<void> {
    const child = spawn(
      process.env.REDIS_SERVER_BINARY ?? "redis-server",
      ["--port", `${this.port}`, "--bind", "127.0.0.1", "--save", "", "--dir", this.directory, ...this.args],
      { stdio: "ignore" }
    )
    this.child = child
    await waitUntil(`redis-server answers on port ${this.port}`, () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
      return answersPing(this.port)
    })
  }

  /** Ends the process; its data folder stays for the next `up`. */
  async down(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await ended
  }

  /** Throws the data folder's content away: the next `up` begins empty. */
  forget(): void {
    for (const name of readdirSync(this.directory)) rmSync(join(this.directory, name), { recursive: true, force: true })
  }

  async stop(): Promise<void> {
    await this.down()
    rmSync(this.directory, { recursive: true, force: true })
  }
}
