/** What a failed file operation means to an operator: which path, what is wrong with it, and the remedy. */
import { Effect, PlatformError } from "effect"
import { ConfigStoreError } from "../../services/ConfigStore.ts"

type Reason = ConfigStoreError["reason"]

const reasons: Record<string, readonly [Reason, string]> = {
  EBUSY: ["Busy", "it is in use, perhaps a bind-mounted file: mount the folder instead"],
  ENOSPC: ["NoSpace", "the disk is full: make room"],
  EDQUOT: ["NoSpace", "the disk quota is used up: make room"],
  EFBIG: ["NoSpace", "files may not grow that large: raise the limit (ulimit -f, LimitFSIZE)"],
  EISDIR: ["Busy", "a folder that is not empty stands in its place: move it away"],
  ENOTEMPTY: ["Busy", "a folder that is not empty stands in its place: move it away"],
  EEXIST: ["Busy", "something else stands in its place, perhaps a link that leads nowhere: move it away"],
  ENOTDIR: ["NoFolder", "a file stands where a folder should be: move it away, or correct CONFIG_DIR"],
  ENOENT: ["NoFolder", "it is gone, or a link on the way leads nowhere: make the folder, or correct CONFIG_DIR"],
  ELOOP: ["NoFolder", "links on the way lead in a circle: remove them, or correct CONFIG_DIR"],
  ENAMETOOLONG: ["NoFolder", "the path is too long: choose a shorter CONFIG_DIR"],
  EROFS: ["ReadOnly", "the file system is read-only: mount it writable"],
  EACCES: ["Denied", "permission denied: let this user read and write there (chown it to the service's user)"],
  EPERM: ["Denied", "not permitted: let this user read and write there (chown it to the service's user)"],
  EMFILE: ["Failed", "this process has too many files open: raise its limit (ulimit -n, LimitNOFILE)"],
  ENFILE: ["Failed", "this machine has too many files open: raise fs.file-max"],
  EIO: ["Failed", "the disk fails (EIO): check it"],
  ESTALE: ["Failed", "the network file system has lost it (ESTALE): mount it again"]
}

/** What a refused change of a file's group means. */
const notOurGroup: typeof reasons = {
  ...reasons,
  EPERM: [
    "Denied",
    "not permitted: CONFIG_FILE_GROUP must be a group that this user is a member of, and chown must be allowed (in a systemd unit: SupplementaryGroups= and SystemCallFilter=@chown)"
  ]
}

/** The system's own error code (`ENOENT`), where there is one. */
export const codeOf = (error: PlatformError.PlatformError): string | undefined => {
  const cause: unknown = error.reason.cause
  return typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined
}

export const isNotFound = (error: PlatformError.PlatformError): boolean => error.reason._tag === "NotFound"

/** A file system error as the store's own, with the remedy. */
export const storeError = (error: PlatformError.PlatformError): ConfigStoreError => {
  const { reason } = error
  const path = "pathOrDescriptor" in reason ? reason.pathOrDescriptor : undefined
  const [kind, remedy] = (reason.method === "chown" ? notOurGroup : reasons)[codeOf(error) ?? ""] ?? [
    "Failed",
    codeOf(error) ?? reason._tag
  ]
  return new ConfigStoreError({ reason: kind, problem: `${reason.method} ${path ?? ""}: ${remedy}` })
}

/** Operations on an open file name its descriptor, a number that says nothing to anybody: the path instead. */
export const at =
  (path: string) =>
  <A, R>(effect: Effect.Effect<A, PlatformError.PlatformError, R>): Effect.Effect<A, PlatformError.PlatformError, R> =>
    Effect.mapError(effect, (error) =>
      error.reason._tag === "BadArgument"
        ? error
        : PlatformError.systemError({ ...error.reason, pathOrDescriptor: path, cause: error.reason.cause })
    )
