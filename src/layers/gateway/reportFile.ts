/** Reads what the gateway reports in a file: its pid, or the version that it runs. */
import { Effect, type FileSystem, Option } from "effect"

export interface Report {
  readonly bytes: Uint8Array
  /** When the file was written, in epoch milliseconds, where the file system says. */
  readonly writtenAt: number | undefined
}

/**
 * The content of a regular file; fails with what is wrong with the path. A pipe or a device is refused: reading it may
 * never end, and neither a timeout nor the end of the process cuts such a read short.
 */
export const readReport = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  path: string
): Effect.fn.Return<Report, string> {
  const unreadable = () => `${path} cannot be read`
  if ((yield* Effect.mapError(fs.stat(path), unreadable)).type !== "File") {
    return yield* Effect.fail(`${path} is not a regular file`)
  }
  const bytes = yield* Effect.mapError(fs.readFile(path), unreadable)
  // Looked at after reading: were the file replaced in between, a new pid must not meet the old one's time.
  const { mtime } = yield* Effect.mapError(fs.stat(path), unreadable)
  return { bytes, writtenAt: Option.getOrUndefined(mtime)?.getTime() }
})
