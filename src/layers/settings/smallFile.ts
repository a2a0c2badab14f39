/** A file that a setting names: a key, a password, a certificate. */
import { Effect, type FileSystem } from "effect"

/** No key, password or chain of certificates is longer; a device or a wrong path may be. */
const mostBytes = 1_048_576

const problems: Readonly<Record<string, string>> = {
  NotFound: "there is no such file",
  PermissionDenied: "this user may not read it",
  BadResource: "it is not a regular file"
}

/**
 * The text of a small regular file, or what is wrong with it. A pipe or device is not opened: it might never end, and
 * reading it could not be interrupted.
 */
export const readSmallFile = Effect.fnUntraced(
  function* (fs: FileSystem.FileSystem, path: string) {
    const { size, type } = yield* fs.stat(path)
    if (type !== "File") return yield* Effect.fail("it is not a regular file")
    if (size > mostBytes) return yield* Effect.fail(`it has more than ${mostBytes} bytes`)
    return yield* fs.readFileString(path)
  },
  Effect.mapError((error) => (typeof error === "string" ? error : (problems[error.reason._tag] ?? error.reason._tag)))
)
