/** The machine's processes on Node: `/proc` where there is one (proc(5)), signal 0 elsewhere. */
import { hostname } from "node:os"
import process from "node:process"
import { Effect, FileSystem, Layer } from "effect"
import { Processes, ProcessesError, type ProcessFacts } from "../../services/Processes.ts"

/** Ticks a second in `/proc/<pid>/stat`: USER_HZ, 100 on every Linux this runs on. */
const TICKS = 100

const errorCode = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "unknown error"

/** State and start time (in ticks since boot) of a `/proc/<pid>/stat`; its second field may hold spaces and brackets. */
const parseStat = (text: string): { readonly state: string; readonly startTime: string } | undefined => {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const [state] = fields
  const startTime = fields[19]
  return state === undefined || startTime === undefined ? undefined : { state, startTime }
}

/** Whether SIGHUP, signal 1 and hence the lowest bit, is among the caught signals of a `/proc/<pid>/status`. */
const catchesHangUp = (text: string): boolean | undefined => {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(text)?.[1]
  return mask === undefined ? undefined : (Number.parseInt(mask.slice(-1), 16) & 1) === 1
}

const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const text = (path: string) => fs.readFileString(path).pipe(Effect.catch(() => Effect.undefined))

  const stat = (pid: number) =>
    Effect.map(text(`/proc/${pid}/stat`), (content) => (content === undefined ? undefined : parseStat(content)))
  const bootTime = Effect.map(text("/proc/stat"), (content) => {
    const seconds = /^btime (\d+)$/m.exec(content ?? "")?.[1]
    return seconds === undefined ? undefined : Number(seconds) * 1_000
  })

  /** How a signal to a process would go: undefined where there is none. */
  const signalable = (pid: number) =>
    Effect.sync(() => {
      try {
        process.kill(pid, 0)
        return true
      } catch (cause) {
        return errorCode(cause) === "EPERM" ? false : undefined
      }
    })

  const find = Effect.fnUntraced(function* (pid: number): Effect.fn.Return<ProcessFacts | undefined> {
    const ours = yield* signalable(pid)
    if (ours === undefined) return undefined
    const found = yield* stat(pid)
    if (found === undefined) {
      return { startTime: undefined, startedAt: undefined, signalable: ours, handlesHangUp: undefined }
    }
    // A zombie has ended; nobody has asked for its exit status yet.
    if (found.state === "Z" || found.state === "X") return undefined
    const boot = yield* bootTime
    return {
      startTime: found.startTime,
      startedAt: boot === undefined ? undefined : boot + (Number(found.startTime) * 1_000) / TICKS,
      signalable: ours,
      handlesHangUp: catchesHangUp((yield* text(`/proc/${pid}/status`)) ?? "")
    }
  })

  // Containers of one host name on one machine do not see each other's processes.
  const space = yield* fs.readLink("/proc/self/ns/pid").pipe(Effect.orElseSucceed(() => ""))
  return Processes.of({
    self: {
      host: `${hostname()} ${space}`.trim(),
      bootId: (yield* text("/proc/sys/kernel/random/boot_id"))?.trim(),
      pid: process.pid,
      startTime: (yield* stat(process.pid))?.startTime
    },
    find,
    hangUp: (pid) =>
      Effect.try({
        try: () => void process.kill(pid, "SIGHUP"),
        catch: (cause) => new ProcessesError({ problem: `SIGHUP to process ${pid}: ${errorCode(cause)}` })
      })
  })
})

/**
 * The processes of this machine by kill(2) and, on Linux, `/proc`: where there is no `/proc`, a process's start and handlers are
 * not known. `hangUp` fails with `ProcessesError` where the signal cannot be sent (`ESRCH`, `EPERM`).
 */
export const layer: Layer.Layer<Processes, never, FileSystem.FileSystem> = Layer.effect(Processes, make)
