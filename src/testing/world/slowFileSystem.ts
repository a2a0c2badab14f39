/** A file system whose every operation takes its time, so that a crash can come between any two of them. */
import { Effect, type FileSystem } from "effect"
import type { Process } from "./process.ts"

/** Puts a wait before every effect that an object has or gives. */
const slowed = <A extends object>(given: A, wait: Effect.Effect<void>): A => {
  const slow = (value: unknown): unknown => (Effect.isEffect(value) ? Effect.andThen(wait, value) : value)
  const members = Object.entries(given).map(([name, member]): [string, unknown] => [
    name,
    typeof member === "function" ? (...args: ReadonlyArray<unknown>) => slow(member(...args)) : slow(member)
  ])
  return { ...given, ...Object.fromEntries(members) }
}

/** The file system as one process has it. */
export const slowFileSystem = (fs: FileSystem.FileSystem, process: Process): FileSystem.FileSystem => {
  const wait = Effect.callback<void>((resume) => {
    const micros =
      20 + process.chance.exponential(100) + (process.chance.yes(0.02) ? process.chance.exponential(20_000) : 0)
    const cancel = process.after(micros, () => resume(Effect.void))
    return Effect.sync(cancel)
  })
  const slow = slowed(fs, wait)
  return { ...slow, open: (path, options) => Effect.map(slow.open(path, options), (file) => slowed(file, wait)) }
}
