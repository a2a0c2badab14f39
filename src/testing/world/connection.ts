/** One connection of a process to Redis: commands arrive in order, answers come in order, and either may get lost. */
import { Effect } from "effect"
import { type Reply, ReplyError } from "../../layers/redis/memory/MemoryRedis.ts"
import { RedisError } from "../../services/Redis.ts"
import type { Chance } from "./chance.ts"
import type { Kernel } from "./kernel.ts"
import type { Process } from "./process.ts"

/** What a connection runs through, and the server at its other end. */
export interface RedisLine {
  readonly kernel: Kernel
  readonly chance: Chance
  /** One way through the network, in microseconds. */
  readonly latency: () => number
  readonly reaches: (process: Process) => boolean
  /** Whether the next answer gets lost, and its connection with it. */
  readonly losesReply: () => boolean
  /** Runs a command that arrived; where it waits, what is returned ends the waiting. */
  readonly execute: (
    process: Process,
    name: string,
    args: ReadonlyArray<string>,
    done: (outcome: Reply | ReplyError) => void
  ) => (() => void) | undefined
  /** Told that the connection ended. */
  readonly broken: (process: Process) => void
  /** Told of a command that was done for a client that is gone. */
  readonly unheard: (process: Process, name: string, reply: unknown) => void
  /** Told of a command that its client gives up with the connection, whether or not it was done. */
  readonly unanswered: (process: Process, name: string, args: ReadonlyArray<string>) => void
}

type Resume = (effect: Effect.Effect<unknown, RedisError>) => void

interface Call {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly resume: Resume
  /** When the client gives its connection up, in microseconds since the epoch. */
  deadline: number
  arrived: boolean
  /** Its bytes never reach the server. */
  dropped: boolean
  /** Its connection is gone: no answer comes. */
  unanswered: boolean
  settled: boolean
  /** Ends the waiting of a read at the server. */
  leave: (() => void) | undefined
}

/** How long an answer may take, as the ioredis layer has it; for a blocking command over its BLOCK time. */
const commandDeadlineMs = 5_000
const blockGraceMs = 1_000

/** Microseconds after which the client gives up on a command. */
const patienceFor = (args: ReadonlyArray<string>): number => {
  const at = args.indexOf("BLOCK")
  return 1_000 * (at < 0 ? commandDeadlineMs : Number(args[at + 1]) + blockGraceMs)
}

const nothing = () => {}

export class Connection {
  private state: "connecting" | "up" | "down" = "connecting"
  private stalled = false
  private readonly network: RedisLine
  private readonly process: Process
  private readonly shared: boolean
  /** Sent and not answered, oldest first. */
  private calls: Array<Call> = []
  private waiting: Array<Call> = []
  private lastArrival = 0
  private lastReply = 0
  private failures = 0
  /** When the connection is looked at for calls whose time is up. */
  private watchedAt = Number.POSITIVE_INFINITY
  private unwatch: () => void = nothing

  constructor(network: RedisLine, process: Process, shared: boolean) {
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
        deadline: Number.POSITIVE_INFINITY,
        arrived: false,
        dropped: false,
        unanswered: false,
        settled: false,
        leave: undefined
      }
      if (this.state === "down") this.fail(call, "the connection is closed")
      else if (this.state === "connecting") this.waiting.push(call)
      else this.write(call)
      return Effect.sync(() => {
        call.settled = true
      })
    })

  private write(call: Call): void {
    const { kernel } = this.network
    this.calls.push(call)
    this.lastArrival = Math.max(this.lastArrival, kernel.microseconds + this.network.latency())
    kernel.at(this.lastArrival, undefined, () => this.arrive(call))
    call.deadline = kernel.microseconds + patienceFor(call.args)
    this.watch(call.deadline)
  }

  /** One timer for all calls, the earliest of them: most are answered long before, and a timer each would be dear. */
  private watch(at: number): void {
    if (at >= this.watchedAt) return
    this.unwatch()
    this.watchedAt = at
    this.unwatch = this.process.after(at - this.network.kernel.microseconds, () => {
      this.watchedAt = Number.POSITIVE_INFINITY
      const now = this.network.kernel.microseconds
      let next = Number.POSITIVE_INFINITY
      for (const { deadline, settled } of this.calls) if (!settled) next = Math.min(next, deadline)
      if (next <= now) this.break("no answer in time")
      else if (next !== Number.POSITIVE_INFINITY) this.watch(next)
    })
  }

  private arrive(call: Call): void {
    if (call.dropped || this.stalled) return
    call.arrived = true
    call.leave = this.network.execute(this.process, call.name, call.args, (outcome) => this.reply(call, outcome))
  }

  /** Sends an answer on its way. */
  private reply(call: Call, outcome: Reply | ReplyError): void {
    if (call.unanswered) {
      this.network.unheard(this.process, call.name, outcome)
      return
    }
    const { kernel } = this.network
    if (this.network.losesReply()) {
      kernel.note(this.process.name, "reply lost", call.name)
      this.break("the connection was reset")
      return
    }
    this.lastReply = Math.max(this.lastReply, kernel.microseconds + this.network.latency())
    kernel.at(this.lastReply, this.process, () => this.settle(call, outcome))
  }

  private settle(call: Call, outcome: Reply | ReplyError): void {
    if (call.unanswered || this.stalled) return
    const at = this.calls.indexOf(call)
    if (at >= 0) this.calls.splice(at, 1)
    if (call.settled) return
    call.settled = true
    call.resume(
      outcome instanceof ReplyError ? Effect.fail(new RedisError({ cause: outcome })) : Effect.succeed(outcome)
    )
  }

  private fail(call: Call, problem: string): void {
    if (call.settled) return
    call.settled = true
    call.resume(Effect.fail(new RedisError({ cause: new Error(`Redis is not connected: ${problem}`) })))
  }

  /** The connection ends: what was sent last may not arrive any more, and no answer comes. */
  break(problem: string): void {
    if (this.state === "down") return
    this.state = "down"
    this.network.broken(this.process)
    const { kernel } = this.network
    const { calls } = this
    this.calls = []
    for (const call of calls) {
      call.unanswered = true
      if (!call.settled) this.network.unanswered(this.process, call.name, call.args)
    }
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
        for (const { leave } of calls) leave?.()
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
