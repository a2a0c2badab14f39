import { Command, Redis as IoRedis } from "ioredis"
import { backoff } from "./backoff.ts"
import { readReplies } from "./replies.ts"
import { ReplyError } from "./replyDecoder.ts"
import { type Address, addressKey, type Settings, tlsFor } from "./settings.ts"

/** Gets the reply, or the error. */
export type Done = (error: Error | undefined, reply?: unknown) => void

/** How much later than its BLOCK time a blocking command may be answered. */
const BLOCK_GRACE = 1_000

const NO_PASSWORD_SET = /without any password configured|no password is set/

/** With these words a server hangs up, whatever it was asked. */
const HANGING_UP = /^(?:ERR max number of clients|DENIED )/

/** A connection that was up for less is one more failed attempt, so that a server that hangs up is not asked in haste, in ms. */
const LASTING = 1_000

/** How a TLS handshake fails with a server that does not speak it: it waits for more, or hangs up. */
const NO_TLS = /ETIMEDOUT|ECONNRESET|EPROTO|wrong version number|connection closed|disconnected before secure TLS/i

const blocking: ReadonlySet<string> = new Set(Command.FLAGS.BLOCKING_COMMANDS.map((name) => name.toUpperCase()))

/** Milliseconds of silence after which no answer is expected any more; undefined for a command that may block for ever. */
const patience = (command: Command, deadline: number): number | undefined => {
  if (!blocking.has(command.name)) return deadline
  const block = command.extractBlockingTimeout()
  if (typeof block !== "number") return deadline
  return block === 0 ? undefined : block + BLOCK_GRACE
}

/**
 * One connection to one server, over ioredis. It adds what a service needs that must not hang: nothing is queued while
 * the connection is away (only its very first attempt is waited for), a socket on which nothing comes while a command
 * waits for its answer is destroyed (an answer that is long in coming is one that comes), and a refused password is told to every command instead of "not connected".
 *
 * The handshake (AUTH, SELECT) is our own: ioredis would print to the console and start its backoff over.
 */
export class Link {
  readonly address: Address
  private readonly settings: Settings
  private readonly client: IoRedis
  private readonly onDown: () => void
  private readonly isTls: boolean
  private state: "first" | "up" | "down" | "closed" = "first"
  private waiting: Array<() => void> = []
  private problem: string | undefined
  private failures = 0
  private upSince: number | undefined
  private heardAt = 0
  private corked = false

  /** `onDown` is told of each lost connection and failed attempt; a link that does not `reconnect` stays down then. */
  constructor(address: Address, settings: Settings, reconnect: boolean, onDown: () => void = () => {}) {
    this.address = address
    this.settings = settings
    this.onDown = onDown
    const tls = tlsFor(settings, address)
    this.isTls = tls !== undefined
    this.client = new IoRedis({
      host: address.host,
      port: address.port,
      // Both families: a name may have addresses of one only.
      family: 0,
      ...(tls === undefined ? {} : { tls }),
      connectTimeout: settings.connectTimeout,
      disconnectTimeout: 1,
      keepAlive: 10_000,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      // Every server speaks it, no HELLO needs a permission, and a reply has one shape.
      protocol: 2,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: reconnect ? () => this.nextDelay() : () => null
    })
    this.client.on("error", (error: NodeJS.ErrnoException) => {
      // Attempts at several addresses of a name fail together with a code alone.
      this.problem = error.message === "" ? error.code : error.message
    })
    this.client.on("connect", () =>
      readReplies(this.client, () => {
        this.heardAt = performance.now()
      })
    )
    this.client.on("ready", () => this.greet())
    this.client.on("close", () => this.down())
  }

  /** Sends a command. The function returned makes `done` deaf and, if it was not sent yet, keeps it from being sent. */
  send(name: string, args: ReadonlyArray<string | Buffer>, done: Done): () => void {
    let wanted = true
    const report: Done = (error, reply) => {
      if (wanted) done(error, reply)
    }
    if (this.state === "first") {
      this.waiting.push(() => {
        if (!wanted) return
        if (this.state === "up") this.write(name, args, report)
        else report(this.absent())
      })
    } else if (this.state === "up") this.write(name, args, report)
    else report(this.absent())
    return () => {
      wanted = false
    }
  }

  /** Whether commands are answered at present. */
  get isUp(): boolean {
    return this.state === "up"
  }

  /** Whether the link is at its first attempt or up. */
  get isPromising(): boolean {
    return this.state === "up" || this.state === "first"
  }

  /** Gives this connection up and makes another, to whatever server the address stands for by then. */
  renew(reason: Error): void {
    if (this.state !== "up") return
    // No failed attempt, however short it was up: whoever renews paces it.
    this.failures = 0
    this.upSince = undefined
    this.destroy(reason)
  }

  /** Closes the connection for good, at once; what is in flight fails. */
  close(): void {
    if (this.state === "closed") return
    const first = this.state === "first"
    this.state = "closed"
    this.problem ??= "closed by this process"
    this.client.disconnect()
    this.destroy()
    if (first) this.settle()
  }

  private nextDelay(): number {
    if (this.upSince !== undefined && performance.now() - this.upSince >= LASTING) this.failures = 0
    this.upSince = undefined
    return backoff(this.failures++)
  }

  private destroy(error?: Error): void {
    const stream: IoRedis["stream"] | undefined = this.client.stream
    stream?.destroy(error)
  }

  private write(name: string, args: ReadonlyArray<string | Buffer>, done: Done): void {
    const command = new Command(name, args as Array<string | Buffer>)
    const limit = patience(command, this.settings.commandDeadline)
    let answered = false
    // A process that was paused finds its timers due before it reads what came meanwhile: that is read first.
    const due = (silence: number) =>
      setImmediate(() => {
        if (answered) return
        const left = this.heardAt + silence - performance.now()
        if (left > 0) timer = setTimeout(due, left, silence)
        else this.late(silence)
      })
    let timer = limit === undefined ? undefined : setTimeout(due, limit, limit)
    command.resolve = (reply) => {
      answered = true
      clearTimeout(timer)
      done(undefined, reply)
    }
    command.reject = (error) => {
      answered = true
      clearTimeout(timer)
      done(error instanceof ReplyError ? error : this.absent())
    }
    this.cork()
    this.client.sendCommand(command)
  }

  /** Commands of one turn of the event loop leave in one write: half the CPU of a write each. */
  private cork(): void {
    if (this.corked) return
    const stream = this.client.stream
    this.corked = true
    stream.cork()
    setImmediate(() => {
      this.corked = false
      stream.uncork()
    })
  }

  private late(limit: number): void {
    this.destroy(new Error(`no answer within ${Math.round(limit)} ms`))
  }

  private absent(): Error {
    const problem = this.problem ?? "connection closed"
    const hint = this.isTls && NO_TLS.test(problem) ? " (does the server speak TLS on this port?)" : ""
    return new Error(`Redis at ${addressKey(this.address)} is not connected: ${problem}${hint}`)
  }

  /** Logs in on a fresh connection; until that is done no command is let through. */
  private greet(): void {
    if (this.state === "closed") return
    const { username, passwordOptional, db } = this.settings
    const password = this.settings.password()
    const steps: Array<readonly [string, ReadonlyArray<string>]> = []
    if (password !== undefined) steps.push(["AUTH", username === undefined ? [password] : [username, password]])
    if (db !== 0) steps.push(["SELECT", [String(db)]])
    steps.push(["PING", []])
    let left = steps.length
    let refused: string | undefined
    for (const [name, args] of steps) {
      this.write(name, args, (error) => {
        left -= 1
        if (name === "PING" && error === undefined && passwordOptional) refused = undefined
        if (error instanceof ReplyError) refused ??= refusal(name, error)
        else if (error !== undefined) refused ??= this.problem ?? "connection closed during the login"
        if (left === 0 && this.state !== "closed") this.greeted(refused)
      })
    }
  }

  private greeted(refused: string | undefined): void {
    if (refused !== undefined) {
      this.problem = refused
      this.destroy()
      return
    }
    this.upSince = performance.now()
    this.problem = undefined
    this.state = "up"
    this.settle()
  }

  private down(): void {
    if (this.state === "closed") return
    this.state = "down"
    this.settle()
    this.onDown()
  }

  private settle(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const go of waiting) go()
  }
}

/** Why a step of the login keeps the connection from being used, if it does. */
const refusal = (step: string, error: ReplyError): string | undefined => {
  // A server without a password takes any, as redis-cli does.
  if (step === "AUTH") return NO_PASSWORD_SET.test(error.message) ? undefined : error.message
  if (step === "SELECT") return error.message
  return error.message.startsWith("NOAUTH") || HANGING_UP.test(error.message) ? error.message : undefined
}
