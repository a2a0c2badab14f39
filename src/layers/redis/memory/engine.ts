import { Clock, Effect } from "effect"
import { type Redis, RedisError } from "../../../services/Redis.ts"
import { claimCommands } from "./claims.ts"
import { groupCommands } from "./groups.ts"
import { hashCommands } from "./hashes.ts"
import { infoCommands } from "./info.ts"
import { keyCommands } from "./keys.ts"
import { type Command, Keyspace } from "./keyspace.ts"
import { Blocked, readCommands } from "./reads.ts"
import { checkArity, noPermission, type Reply, ReplyError } from "./replies.ts"
import { evaluate } from "./scripts.ts"
import { serverCommands } from "./server.ts"
import { streamCommands } from "./streams.ts"
import { valueCommands } from "./values.ts"

/** A client's view of the engine: sends one command, its arguments as strings. */
export interface MemoryConnection {
  readonly send: Redis["Service"]["send"]
}

/** A read that waits: how long at most, in milliseconds (0: for ever), and how it leaves the queue before it is served. */
export interface WaitingRead {
  readonly timeout: number
  readonly leave: () => void
}

/**
 * A Redis server in this process: streams with consumer groups, strings, sets, hashes, times to live and the project's scripts,
 * each command with the replies and error texts of Redis 7.0 as ioredis hands them out (RESP2).
 *
 * Time (ids of `XADD *`, idle times, times to live, BLOCK) is the ambient `Clock`'s. A command that does not wait is
 * done within one synchronous step; one that waits is served in the order of arrival, and interrupting it leaves
 * nothing behind. (Interrupted when it was served already, its reply is lost and the entries are pending, as with a
 * connection that breaks.) Errors are `RedisError`s whose `cause` is an `Error` with Redis's text.
 */
export interface MemoryEngine {
  /** A connection of its own. Any number may share an engine; they see the same keys. */
  readonly connection: () => MemoryConnection
  /**
   * Runs a command at a time (epoch milliseconds) without an Effect, for who keeps the time himself: `done` is called
   * with the reply, or the error, before this returns or, for the read that is given back, when it is served.
   */
  readonly run: (
    name: string,
    args: ReadonlyArray<string>,
    now: number,
    done: (outcome: Reply | ReplyError) => void
  ) => WaitingRead | undefined
  /** Keeps the keys as they stand now; running what it gives brings them back: a failover that lost the writes since. */
  readonly snapshot: Effect.Effect<Effect.Effect<void>>
  /** Says which commands (by their names in capitals) the users of all connections may run from now on: Redis's ACL. */
  readonly permit: (mayRun: (command: string, args: ReadonlyArray<string>) => boolean) => void
}

type Result = Reply | Blocked

const evalCommand: Command<Reply> = {
  arity: -3,
  run: (db, args, now) =>
    evaluate(
      Object.assign(
        (command: string, ...commandArgs: ReadonlyArray<string>) => {
          const result = execute(db, command, commandArgs, now)
          return result instanceof Blocked ? null : result
        },
        { mayRun: (command: string, ...commandArgs: ReadonlyArray<string>) => db.mayRun(command, commandArgs) }
      ),
      args
    )
}

const commands: ReadonlyMap<string, Command<Result>> = new Map(
  Object.entries<Command<Result>>({
    ...streamCommands,
    ...groupCommands,
    ...claimCommands,
    ...readCommands,
    ...infoCommands,
    ...keyCommands,
    ...valueCommands,
    ...hashCommands,
    ...serverCommands,
    EVAL: evalCommand
  })
)

const unknownCommand = (name: string, args: ReadonlyArray<string>) =>
  new ReplyError(`ERR unknown command '${name}', with args beginning with: ${args.map((arg) => `'${arg}' `).join("")}`)

const execute = (db: Keyspace, name: string, args: ReadonlyArray<string>, now: number): Result => {
  const command = commands.get(name) ?? commands.get(name.toUpperCase())
  if (command === undefined) throw unknownCommand(name, args)
  checkArity(name, command.arity, args.length + 1)
  if (!db.mayRun(name.toUpperCase(), args)) throw noPermission(name)
  return command.run(db, args, now)
}

const failure = (error: ReplyError) => Effect.fail(new RedisError({ cause: error }))

const answer = (outcome: Reply | ReplyError): Effect.Effect<Reply, RedisError> =>
  outcome instanceof ReplyError ? failure(outcome) : Effect.succeed(outcome)

const runOn =
  (db: Keyspace): MemoryEngine["run"] =>
  (name, args, now, done) => {
    let result: Result | ReplyError
    try {
      result = execute(db, name, args, now)
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      result = error
    }
    if (!(result instanceof Blocked)) {
      db.serve(now)
      done(result)
      return undefined
    }
    const waiter = result.waiter(done)
    db.enter(waiter)
    db.serve(now)
    return { timeout: result.timeout, leave: () => db.leave(waiter) }
  }

/** A command that a fiber has sent, and what it came to. */
class Sent {
  private outcome: Reply | ReplyError | undefined
  private read: WaitingRead | undefined
  private resume: ((effect: Effect.Effect<Reply, RedisError>) => void) | undefined

  /** Runs it at once; the effect ends when it is done, or its time to wait is up. */
  run(run: MemoryEngine["run"], name: string, args: ReadonlyArray<string>): Effect.Effect<Reply, RedisError> {
    return Clock.clockWith((clock) => {
      this.read = run(name, args, Math.floor(clock.currentTimeMillisUnsafe()), (outcome) => {
        this.outcome = outcome
        this.resume?.(answer(outcome))
      })
      return this.read === undefined ? this.answer : this.wait(this.read)
    })
  }

  private get answer(): Effect.Effect<Reply, RedisError> {
    return answer(this.outcome ?? null)
  }

  private wait({ leave, timeout }: WaitingRead): Effect.Effect<Reply, RedisError> {
    const served = Effect.callback<Reply, RedisError>((resume) => {
      if (this.outcome === undefined) this.resume = resume
      else resume(this.answer)
    })
    if (timeout === 0) return served
    return Effect.timeoutOrElse(served, {
      duration: timeout,
      // Served in the very instant its time was up: what was handed out is answered.
      orElse: () =>
        Effect.suspend(() => {
          leave()
          return this.answer
        })
    })
  }

  readonly leave = Effect.sync(() => this.read?.leave())
}

const sendThrough = (run: MemoryEngine["run"]): MemoryConnection["send"] => {
  // The reply's type is the caller's claim, as with any driver behind this service.
  return <A>(name: string, ...args: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      const sent = new Sent()
      const done = sent.run(run, name, args)
      // One that may wait leaves the queue however it ends, an interruption included.
      return name.toUpperCase() in readCommands ? Effect.ensuring(done, sent.leave) : done
    }) as Effect.Effect<A, RedisError>
}

/** A new engine without any keys. */
export const makeEngine: Effect.Effect<MemoryEngine> = Effect.sync(() => {
  const db = new Keyspace()
  const run = runOn(db)
  const send = sendThrough(run)
  const snapshot = Effect.sync(() => {
    const restore = db.snapshot()
    return Clock.clockWith((clock) =>
      Effect.sync(() => {
        restore()
        db.serve(Math.floor(clock.currentTimeMillisUnsafe()))
      })
    )
  })
  const permit: MemoryEngine["permit"] = (mayRun) => {
    db.mayRun = mayRun
  }
  return { connection: () => ({ send }), run, snapshot, permit }
})
