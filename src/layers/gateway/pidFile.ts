/** Tells the gateway by SIGHUP, to the pid it wrote into a file (contract section 7). */
import { Effect, type FileSystem } from "effect"
import { GatewayError } from "../../services/Gateway.ts"
import type { Processes, ProcessFacts } from "../../services/Processes.ts"
import { readReport } from "./reportFile.ts"

/** How far a process's start and a file's time may be apart and still be one instant: `/proc` counts boot in seconds. */
const TOLERANCE = 2_000

const noProcess = (problem: string) =>
  new GatewayError({ reason: "NoProcess", problem: `GATEWAY_PID_FILE: ${problem}` })

/** `reachable` finds the process and does nothing to it; `reload` signals it. */
export const makePidFileReload = (
  fs: FileSystem.FileSystem,
  processes: Processes["Service"],
  path: string
): { readonly reachable: Effect.Effect<void, GatewayError>; readonly reload: Effect.Effect<void, GatewayError> } => {
  /** The process that was found last, and the file that named it. */
  let last: { readonly pid: number; readonly writtenAt: number | undefined; readonly startTime: string } | undefined

  /**
   * Whether the file is of an earlier process, whose pid was given out again. A process is known again by its start
   * since boot, which no clock that is set moves; only one seen for the first time is judged by the clock.
   */
  const isStale = (pid: number, writtenAt: number | undefined, { startTime, startedAt }: ProcessFacts): boolean => {
    if (startTime !== undefined && last?.pid === pid && last.writtenAt === writtenAt)
      return last.startTime !== startTime
    return startedAt !== undefined && writtenAt !== undefined && startedAt > writtenAt + TOLERANCE
  }

  const found = Effect.gen(function* () {
    const { bytes, writtenAt } = yield* Effect.mapError(readReport(fs, path), (problem) =>
      noProcess(`${problem}: is the gateway running?`)
    )
    const pid = /^\s*([1-9][0-9]{0,9})\s*$/.exec(new TextDecoder().decode(bytes))?.[1]
    if (pid === undefined) return yield* noProcess(`${path} must hold one integer of at least 1, and nothing else`)
    const number = Number(pid)
    if (number === processes.self.pid) return yield* noProcess(`${path} names this process itself`)
    const facts = yield* processes.find(number)
    if (facts === undefined) return yield* noProcess(`there is no live process ${pid}: is the gateway running?`)
    if (isStale(number, writtenAt, facts)) {
      return yield* noProcess(
        `process ${pid} started after ${path} was written: the file is of an earlier process (or the clock was set since: touch the file if it is the gateway)`
      )
    }
    if (facts.startTime !== undefined) last = { pid: number, writtenAt, startTime: facts.startTime }
    if (!facts.signalable) {
      return yield* new GatewayError({
        reason: "NotReady",
        problem: `GATEWAY_PID_FILE: process ${pid} is of another user, whom this one may send no signal: run both as one user, or set GATEWAY_RELOAD_COMMAND`
      })
    }
    if (facts.handlesHangUp === false) {
      return yield* new GatewayError({
        reason: "NotReady",
        problem: `GATEWAY_PID_FILE: process ${pid} does not handle SIGHUP (yet): the signal would end it`
      })
    }
    return number
  })
  return {
    reachable: Effect.asVoid(found),
    reload: Effect.flatMap(found, (pid) => Effect.mapError(processes.hangUp(pid), (error) => noProcess(error.problem)))
  }
}
