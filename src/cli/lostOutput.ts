/** What becomes of a process whose output cannot be written: its reader left, its disk is full, its terminal went away. */
import { Effect } from "effect"

let watched = false
let needed = true
let lost = false

/** The service's output is its log: it works on without. */
export const outputMayFail = Effect.sync(() => {
  needed = false
})

/** Whether a command's output could not be written, other than by a reader who had seen enough (`| head`). */
export const outputWasLost = (): boolean => lost

/** A command whose output goes nowhere is stopped, as by a signal. Without listeners Node would end any process with a stack trace. */
export const watchOutput = (): void => {
  if (watched) return
  watched = true
  process.stderr.on("error", () => {})
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (!needed || lost) return
    lost = error.code !== "EPIPE"
    if (lost) process.stderr.write(`The output cannot be written: ${error.message}\n`)
    if (lost) process.exitCode = 1
    // To whoever listens: a command that is over already needs no end.
    process.emit("SIGTERM", "SIGTERM")
  })
}
