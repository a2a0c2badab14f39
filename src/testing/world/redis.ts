/** Redis in a world: the memory engine behind a network that delays, breaks, stalls and loses. */
import { Effect, type Scope } from "effect"
import { make } from "effect/persistence/Redis"
import { type MemoryEngine, makeEngine, type Reply, ReplyError } from "../../layers/redis/memory/MemoryRedis.ts"
import { type Redis, RedisError } from "../../services/Redis.ts"
import { scriptName } from "../../services/Scripts.ts"
import type { Chance } from "./chance.ts"
import { Connection } from "./connection.ts"
import type { Hooks } from "./hooks.ts"
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
  /** A command was done whose client is gone: a read that still waited on a half-open connection, say. */
  readonly onUnheard?: (process: Process, name: string, reply: unknown) => void
  /** A connection ended before a command was answered: it may have been done or not, and its sender cannot know. */
  readonly onUnanswered?: (process: Process, name: string, args: ReadonlyArray<string>) => void
}

/** A command as one line of the trace: a script by its name, long arguments cut. */
const described = (name: string, args: ReadonlyArray<string>): string => {
  const script = name === "EVAL" ? scriptName(args[0] ?? "") : undefined
  const rest = script === undefined ? args : args.slice(2)
  return [script === undefined ? name : `script ${script}`, ...rest.map((arg) => arg.slice(0, 160))].join(" ")
}

/** The server and the ways to it. */
export class RedisNetwork {
  readonly kernel: Kernel
  readonly chance: Chance
  readonly engine: MemoryEngine
  private readonly server: Process
  private readonly connections = new Map<Process, Set<Connection>>()
  private readonly hooks: Hooks<RedisWatcher>
  private readonly cutOff = new Set<string>()
  private readonly waitingReads: Array<() => void> = []
  private down = false
  private lossChance = 0

  constructor(kernel: Kernel, hooks: Hooks<RedisWatcher>) {
    this.kernel = kernel
    this.hooks = hooks
    this.chance = kernel.chance.fork("redis")
    this.server = new Process(kernel, "redis", this.chance.fork("server"))
    this.engine = Effect.runSync(makeEngine)
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
    for (const look of this.hooks.onBroken) look(process)
  }

  unheard(process: Process, name: string, reply: unknown): void {
    for (const look of this.hooks.onUnheard) look(process, name, reply)
  }

  unanswered(process: Process, name: string, args: ReadonlyArray<string>): void {
    for (const look of this.hooks.onUnanswered) look(process, name, args)
  }

  losesReply(): boolean {
    return this.chance.yes(this.lossChance)
  }

  /** Runs a command that arrived; where it waits, what is returned ends the waiting, and `done` is not called then. */
  execute(
    process: Process | undefined,
    name: string,
    args: ReadonlyArray<string>,
    done: (outcome: Reply | ReplyError) => void
  ): (() => void) | undefined {
    const { kernel } = this
    if (process !== undefined) for (const look of this.hooks.onCommand) look(process, name, args)
    let ended = false
    let endWaiting: (() => void) | undefined
    const end = (outcome: Reply | ReplyError) => {
      ended = true
      endWaiting?.()
      const reply = outcome instanceof ReplyError ? undefined : outcome
      kernel.note(
        process?.name ?? "outside",
        name,
        args[args.length - 1] ?? "",
        () => `${described(name, args)} → ${reply === undefined ? "error" : JSON.stringify(reply).slice(0, 300)}`
      )
      for (const look of this.hooks.onExecuted) look({ process, name, args, reply })
      done(outcome)
    }
    const read = this.engine.run(name, args, kernel.millis, end)
    if (read === undefined || ended) return undefined
    const timesOut = read.timeout > 0 ? kernel.after(read.timeout * 1_000, undefined, () => end(null)) : undefined
    endWaiting = () => {
      timesOut?.()
      read.leave()
      const at = this.waitingReads.indexOf(leave)
      if (at >= 0) this.waitingReads.splice(at, 1)
    }
    const leave = endWaiting
    this.waitingReads.push(leave)
    return leave
  }

  /** A command from outside of all processes, at once; its reply, or undefined where Redis answered with an error. */
  command(name: string, ...args: ReadonlyArray<string>): unknown {
    let reply: unknown
    this.execute(undefined, name, args, (outcome) => {
      if (!(outcome instanceof ReplyError)) reply = outcome
    })
    return reply
  }

  /** As {@link command}, but unseen: for who looks at the keys and changes none. */
  look(name: string, ...args: ReadonlyArray<string>): unknown {
    let reply: unknown
    this.engine.run(name, args, this.kernel.millis, (outcome) => {
      if (!(outcome instanceof ReplyError)) reply = outcome
    })
    return reply
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
      for (const leave of [...this.waitingReads]) leave()
      this.server.fork(restore)
    }
  }
}
