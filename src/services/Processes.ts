import { Context, type Effect, Schema } from "effect"

/** A signal could not be sent. `problem` says why. */
export class ProcessesError extends Schema.TaggedError<ProcessesError>()("ProcessesError", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** This process, as a lock names its holder. */
export interface ProcessIdentity {
  /** Where pids mean the same processes: a host, or a container's process space on it. */
  readonly host: string
  /** Differs from one boot of the machine to the next; undefined where it cannot be told. */
  readonly bootId: string | undefined
  readonly pid: number
  /** Differs between two processes that had the same pid one after the other; undefined where it cannot be told. */
  readonly startTime: string | undefined
}

/** A live process, as far as the system says. */
export interface ProcessFacts {
  readonly startTime: string | undefined
  /** When it started, in epoch milliseconds, give or take two seconds; by the clock as it is set now. */
  readonly startedAt: number | undefined
  /** Whether this process may send it signals: one of the same user, or root. */
  readonly signalable: boolean
  /** Whether it has a handler for SIGHUP, which would end it otherwise. */
  readonly handlesHangUp: boolean | undefined
}

/** The processes of this machine: who this one is, whether another lives, and SIGHUP. */
export class Processes extends Context.Service<
  Processes,
  {
    readonly self: ProcessIdentity
    /** Undefined where there is no live process of that pid. */
    readonly find: (pid: number) => Effect.Effect<ProcessFacts | undefined>
    /** Sends SIGHUP. */
    readonly hangUp: (pid: number) => Effect.Effect<void, ProcessesError>
  }
>()("job-collector/services/Processes") {}
