/** Redis in a world: the memory engine behind a network that delays, breaks, stalls and loses. */
import { Effect, type Fiber, type Scope } from "effect"
import { make } from "effect/persistence/Redis"
import { type MemoryEngine, makeEngine } from "../../layers/MemoryRedis.ts"
import { type Redis, RedisError } from "../../services/Redis.ts"
import type { Chance } from "./chance.ts"
import type { Kernel } from "./kernel.ts"
import { Process } from "./process.ts"

/** What a command came to at the server. */
export interface Executed {
  /** Who sent it; undefined for one that came from outside of all processes. */
  readonly process: Process | undefined
  readonly name: string
  readonly args: ReadonlyArray<string>
  /** Undefined where Redis answered with an error. */
  readonly reply: unknown
}

/** Looks on at the server. */
export interface RedisWatcher {
  readonly onCommand?: (process: Process, name: string, args: ReadonlyArray<string>) => void
  readonly onExecuted?: (command: Executed) => void
  /** A connection of a process ended, whoever ended it. */
  readonly onBroken?: (process: Process) => void
}

type Resume = (effect: Effect.Effect<unknown, RedisError>) => void

interface Call {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly resume: Resume
  arrived: boolean
  /** Its bytes never reach the server. */
  dropped: boolean
  /** Its connection is gone: no answer comes. */
  unanswered: boolean
  settled: boolean
  deadline: () => void
  running: Fiber.Fiber<unknown, unknown> | undefined
}

/** How long an answer may take, as the ioredis layer has it; for a blocking command over its BLOCK time. */
const commandDeadline = 5_000
const blockGrace = 1_000

const blockOf = (args: ReadonlyArray<string>): number | undefined => {
  const at = args.indexOf("BLOCK")
  return at < 0 ? undefined : Number(args[at + 1])
}

/** A command as one line of the trace: a script by its name, long arguments cut. */
const described = (name: string, args: ReadonlyArray<string>): string => {
  const script = name === "EVAL" ? /^-- job-collector:([a-z-]+)/.exec(args[0] ?? "")?.[1] : undefined
  const rest = script === undefined ? args : args.slice(2)
  return [script === undefined ? name : `script ${script}`, ...rest.map((arg) => arg.slice(0, 160))].join(" ")
}

/** One connection of a process. */
class Connection {
  state: "connecting" | "up" | "down" = "connecting"
  stalled = false
  private readonly network: RedisNetwork
  private readonly process: Process
  private readonly shared: boolean
  private readonly calls = new Set<Call>()
  private waiting: Array<Call> = []
  private lastArrival = 0
  private lastReply = 0
  private failures = 0

  constructor(network: RedisNetwork, process: Process, shared: boolean) {
    this.network = network
    this.process = process
    this.shared = shared
    this.connect()
  }

  private connect(): void {
    this.process.after(this.network.latency() * 2, () => {
      if (this.state !== "connecting") return
      if (this.network.reaches(this.process)) {
        this.state = "up"
        this.stalled = false
        this.failures = 0
        for (const call of this.waiting.splice(0)) if (!call.settled) this.write(call)
        return
      }
      this.state = "down"
      for (const call of this.waiting.splice(0)) this.fail(call, "ECONNREFUSED")
      this.reconnect()
    })
  }

  private reconnect(): void {
    if (!this.shared) return
    const delay = Math.min(2_000, 50 * 2 ** Math.min(this.failures++, 8)) * (0.5 + this.process.chance.next())
    this.process.after(delay * 1_000, () => {
      if (this.state !== "down") return
      this.state = "connecting"
      this.connect()
    })
  }

  readonly send = <A = unknown>(name: string, ...args: ReadonlyArray<string>): Effect.Effect<A, RedisError> =>
    Effect.callback<A, RedisError>((resume) => {
      if (!this.process.alive) return
      const call: Call = {
        name,
        args,
        // The reply's type is the caller's claim, as with any driver behind this service.
        resume: resume as Resume,
        arrived: false,
        dropped: false,
        unanswered: false,
        settled: false,
        deadline: () => {},
        running: undefined
      }
      if (this.state === "down") this.fail(call, "the connection is closed")
      else if (this.state === "connecting") this.waiting.push(call)
      else this.write(call)
      return Effect.sync(() => {
        call.settled = true
        call.deadline()
      })
    })

  private write(call: Call): void {
    const { kernel } = this.network
    this.calls.add(call)
    this.lastArrival = Math.max(this.lastArrival, kernel.microseconds + this.network.latency())
    kernel.at(this.lastArrival, undefined, () => this.arrive(call))
    const block = blockOf(call.args)
    const patience = block === undefined ? commandDeadline : block + blockGrace
    call.deadline = this.process.after(patience * 1_000, () => {
      if (!call.settled) this.break("no answer in time")
    })
  }

  private arrive(call: Call): void {
    if (call.dropped || this.stalled) return
    call.arrived = true
    this.network.execute(
      this.process,
      call.name,
      call.args,
      (outcome) => {
        if (call.unanswered) return
        const { kernel } = this.network
        if (this.network.losesReply()) {
          kernel.note(this.process.name, "reply lost", call.name)
          this.break("the connection was reset")
          return
        }
        this.lastReply = Math.max(this.lastReply, kernel.microseconds + this.network.latency())
        kernel.at(this.lastReply, this.process, () => this.settle(call, outcome))
      },
      (fiber) => {
        call.running = fiber
      }
    )
  }

  private settle(call: Call, outcome: Effect.Effect<unknown, RedisError>): void {
    if (call.unanswered || this.stalled) return
    this.calls.delete(call)
    if (call.settled) return
    call.settled = true
    call.deadline()
    call.resume(outcome)
  }

  private fail(call: Call, problem: string): void {
    if (call.settled) return
    call.settled = true
    call.deadline()
    call.resume(Effect.fail(new RedisError({ cause: new Error(`Redis is not connected: ${problem}`) })))
  }

  /** The connection ends: what was sent last may not arrive any more, and no answer comes. */
  break(problem: string): void {
    if (this.state === "down") return
    this.state = "down"
    this.network.broken(this.process)
    const { kernel } = this.network
    const calls = [...this.calls]
    this.calls.clear()
    for (const call of calls) call.unanswered = true
    const underWay = calls.filter(({ arrived }) => !arrived)
    const arriving = this.network.chance.int(0, underWay.length)
    underWay.forEach((call, at) => {
      if (at >= arriving || this.stalled) call.dropped = true
    })
    // The server notices a little later; until then a read that waits may still be given entries.
    kernel.after(
      this.network.latency() + (this.stalled ? this.network.chance.int(0, 30_000_000) : 0),
      undefined,
      () => {
        for (const { running } of calls) if (running !== undefined) this.network.abandon(running)
      }
    )
    if (!this.process.alive) return
    this.process.after(this.network.latency(), () => {
      for (const call of calls) this.fail(call, problem)
      for (const call of this.waiting.splice(0)) this.fail(call, problem)
    })
    this.reconnect()
  }

  /** Nothing passes any more, in either direction, and neither end is told. */
  stall(): void {
    if (this.state === "up") this.stalled = true
  }
}

/** The server and the ways to it. */
export class RedisNetwork {
  readonly kernel: Kernel
  readonly chance: Chance
  readonly engine: MemoryEngine
  private readonly server: Process
  private readonly onServer: ReturnType<MemoryEngine["connection"]>
  private readonly connections = new Map<Process, Set<Connection>>()
  private readonly watchers: ReadonlyArray<RedisWatcher>
  private readonly cutOff = new Set<string>()
  private readonly waitingReads = new Set<Fiber.Fiber<unknown, unknown>>()
  private down = false
  private lossChance = 0

  constructor(kernel: Kernel, watchers: ReadonlyArray<RedisWatcher>) {
    this.kernel = kernel
    this.watchers = watchers
    this.chance = kernel.chance.fork("redis")
    this.server = new Process(kernel, "redis", this.chance.fork("server"))
    this.engine = Effect.runSync(makeEngine)
    this.onServer = this.engine.connection()
  }

  /** One way through the network, in microseconds: a fraction of a millisecond, seldom much more. */
  latency(): number {
    const slow = this.chance.yes(0.005) ? this.chance.exponential(20_000) : 0
    return 50 + this.chance.exponential(200) + slow
  }

  reaches(process: Process): boolean {
    return !this.down && !this.cutOff.has(process.name)
  }

  broken(process: Process): void {
    for (const watcher of this.watchers) watcher.onBroken?.(process)
  }

  losesReply(): boolean {
    return this.chance.yes(this.lossChance)
  }

  /** Runs a command that arrived. */
  execute(
    process: Process | undefined,
    name: string,
    args: ReadonlyArray<string>,
    done: (outcome: Effect.Effect<unknown, RedisError>) => void,
    waits: (fiber: Fiber.Fiber<unknown, unknown>) => void
  ): void {
    if (process !== undefined) for (const watcher of this.watchers) watcher.onCommand?.(process, name, args)
    const fiber = Effect.runForkWith(this.server.context)(this.onServer.send(name, ...args))
    this.waitingReads.add(fiber)
    fiber.addObserver((exit) => {
      this.waitingReads.delete(fiber)
      const reply = exit._tag === "Success" ? exit.value : undefined
      this.kernel.note(
        process?.name ?? "outside",
        name,
        args[args.length - 1] ?? "",
        () => `${described(name, args)} → ${exit._tag === "Success" ? JSON.stringify(reply).slice(0, 300) : "error"}`
      )
      for (const watcher of this.watchers) watcher.onExecuted?.({ process, name, args, reply })
      done(exit)
    })
    if (this.waitingReads.has(fiber)) waits(fiber)
  }

  /** A waiting read whose client is gone. */
  abandon(fiber: Fiber.Fiber<unknown, unknown>): void {
    fiber.interruptUnsafe()
  }

  /** A command from outside of all processes, at once; its reply, or undefined where Redis answered with an error. */
  command(name: string, ...args: ReadonlyArray<string>): unknown {
    let reply: unknown
    this.execute(
      undefined,
      name,
      args,
      (outcome) => {
        reply = Effect.runSync(Effect.catch(outcome, () => Effect.undefined))
      },
      () => {}
    )
    return reply
  }

  /** As {@link command}, but unseen: for who looks at the keys and changes none. */
  look(name: string, ...args: ReadonlyArray<string>): unknown {
    const fiber = Effect.runForkWith(this.server.context)(this.onServer.send(name, ...args))
    const exit = fiber.pollUnsafe()
    return exit?._tag === "Success" ? exit.value : undefined
  }

  private connect(process: Process, shared: boolean): Connection {
    const connection = new Connection(this, process, shared)
    const known = this.connections.get(process)
    if (known === undefined) {
      this.connections.set(process, new Set([connection]))
      process.onDeath(() => {
        for (const open of this.connections.get(process) ?? []) open.break("the process died")
        this.connections.delete(process)
      })
    } else known.add(connection)
    return connection
  }

  /** The `Redis` service as one process has it. */
  service(process: Process): Effect.Effect<Redis["Service"], never, Scope.Scope> {
    return Effect.suspend(() => {
      const shared = this.connect(process, true)
      return make({
        send: shared.send,
        connect: Effect.sync(() => {
          const own = this.connect(process, false)
          return {
            send: own.send,
            close: Effect.sync(() => {
              own.break("closed by this process")
              this.connections.get(process)?.delete(own)
            })
          }
        }),
        subscribe: () => Effect.fail(new RedisError({ cause: new Error("there is no subscribe in this world") })),
        pool: { maxConnections: 1_024 }
      })
    })
  }

  private of(name: string | undefined): Array<Connection> {
    return [...this.connections]
      .filter(([process]) => name === undefined || process.name === name)
      .flatMap(([, connections]) => [...connections])
  }

  /** Resets the connections of one process, or of all. */
  reset(name?: string): void {
    for (const connection of this.of(name)) connection.break("the connection was reset")
  }

  /** Cuts a process off; `stall`: without its being told. */
  cut(name: string, how: "reset" | "stall"): void {
    this.cutOff.add(name)
    for (const connection of this.of(name)) {
      if (how === "stall") connection.stall()
      else connection.break("the connection was reset")
    }
  }

  mend(name: string): void {
    this.cutOff.delete(name)
  }

  /** The server goes away. */
  stop(): void {
    this.down = true
    this.reset()
  }

  start(): void {
    this.down = false
  }

  get isUp(): boolean {
    return !this.down
  }

  /** From now on an answer is lost, and its connection with it, with this probability. */
  loseReplies(chance: number): void {
    this.lossChance = chance
  }

  /** The keys as they stand now; the function returned brings them back, on a server that has no connections yet. */
  snapshot(): () => void {
    const restore = Effect.runSync(this.engine.snapshot)
    return () => {
      this.reset()
      for (const fiber of this.waitingReads) fiber.interruptUnsafe()
      this.server.fork(restore)
    }
  }
}
