/** Tells the gateway by SIGHUP, to the pid it wrote into a file (contract section 7). */
import { Effect, type FileSystem } from "effect"
import { GatewayError } from "../../services/Gateway.ts"
import type { Processes } from "../../services/Processes.ts"
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
    if (facts.startedAt !== undefined && writtenAt !== undefined && facts.startedAt > writtenAt + TOLERANCE) {
      return yield* noProcess(`process ${pid} started after ${path} was written: the file is of an earlier process`)
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
