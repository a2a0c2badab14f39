/** Durable file operations over Effect's `FileSystem`: nothing here returns before its bytes are on the disk. */
import { Effect, type FileSystem, Option, type PlatformError, Schema } from "effect"
import { parseJson } from "../../domain/gatewayConfig/bundle.ts"
import { at, codeOf, isNotFound } from "./storeFailure.ts"

/** A text that changes whenever a file is written or replaced, within the grain of the file system's clock. */
export const stampOf = (info: FileSystem.File.Info): string =>
  `${Option.getOrUndefined(info.ino)} ${Option.getOrUndefined(info.mtime)?.getTime()} ${info.size} ${info.mode}`

/** Undefined instead of "no such file", and where a file stands for a folder on the way to it. */
export const orMissing = <A>(
  effect: Effect.Effect<A, PlatformError.PlatformError>
): Effect.Effect<A | undefined, PlatformError.PlatformError> =>
  Effect.catchIf(
    effect,
    (error) => isNotFound(error) || codeOf(error) === "ENOTDIR",
    () => Effect.undefined
  )

/**
 * The bytes of a regular file; undefined where none is there. A pipe or a device that stands there is none: reading it
 * may never end, and neither a time limit nor the end of the process cuts such a read short.
 */
const readWhere = (look: FileSystem.FileSystem["stat"], fs: FileSystem.FileSystem, path: string) =>
  Effect.flatMap(orMissing(look(path)), (info) =>
    info?.type === "File" ? orMissing(fs.readFile(path)) : Effect.undefined
  )

/** Of one of the three names, which are links. */
export const readThroughLinks = (fs: FileSystem.FileSystem, path: string) => readWhere(fs.stat, fs, path)

/** Of a file of our own, which never is a link: what stands there instead is not followed. */
export const readOwn = (fs: FileSystem.FileSystem, path: string) => readWhere(fs.lstat, fs, path)

/** How a file is made. */
export interface FileAttributes {
  readonly mode: number
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** The owner is set where this user may; else a refusal is an error. */
  readonly lenient?: boolean
}

/** The folder that a path is in: of a relative one the working folder, of the root and the working folder itself. */
const folderOf = (path: string): string => (path.includes("/") ? path.replace(/\/+[^/]*$/, "") || "/" : ".")

/** The durable operations everything here is made of. */
export const makeDurable = (fs: FileSystem.FileSystem) => {
  /** Makes a folder's entries durable. */
  const syncFolder = (path: string) =>
    Effect.scoped(Effect.flatMap(fs.open(path, { flag: "r" }), (folder) => folder.sync)).pipe(at(path))

  /**
   * What root makes in a folder of another user becomes that user's: a command run as root must not lock out the
   * service, which reads and replaces it later. Anybody else may not give files away, and has no need to.
   */
  const handOver = Effect.fnUntraced(
    function* (path: string, folder: string) {
      const made = yield* fs.stat(path)
      const { gid, uid } = yield* fs.stat(folder)
      if (Option.isNone(uid) || Option.isNone(gid) || Option.getOrUndefined(made.uid) === uid.value) return
      yield* fs.chown(path, uid.value, gid.value)
    },
    (effect) => Effect.ignore(effect)
  )

  /** Sets a mode, whatever the umask. A file system without modes of its own may refuse: what it has then is what counts. */
  const setMode = (path: string, mode: number) =>
    Effect.catchIf(
      fs.chmod(path, mode),
      (error) => ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(codeOf(error) ?? ""),
      () => Effect.void
    )

  /** Makes a folder and those above it where they are missing, each durable in the one above. */
  const ensureFolder = Effect.fnUntraced(function* (path: string): Effect.fn.Return<void, PlatformError.PlatformError> {
    if (yield* fs.exists(path)) return
    const above = folderOf(path)
    // The working folder itself may be gone; nothing is above it.
    if (above !== path) yield* ensureFolder(above)
    yield* fs.makeDirectory(path, { recursive: true })
    yield* handOver(path, above)
    // The gateway reads through it.
    yield* setMode(path, 0o755)
    yield* syncFolder(above)
  })

  /** Creates a file that must not exist, with its final mode and group before its first byte. Its entry is not durable yet. */
  const create = (path: string, bytes: Uint8Array, attributes: FileAttributes) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { gid = -1, mode, uid = -1 } = attributes
        const file = yield* fs.open(path, { flag: "wx", mode })
        if (uid === -1) yield* handOver(path, folderOf(path))
        if (uid !== -1 || gid !== -1) {
          const owned = fs.chown(path, uid, gid)
          yield* attributes.lenient === true ? Effect.ignore(owned) : owned
        }
        yield* setMode(path, mode)
        yield* file.writeAll(bytes)
        yield* file.sync
      }).pipe(at(path))
    )

  const temporary = (folder: string, name: string) => `${folder}/.${name.replace(/^\./, "")}.tmp`

  /** Nothing stale is left where something could not be made or put in its place. */
  const orCleared =
    (folder: string, name: string) =>
    <A>(effect: Effect.Effect<A, PlatformError.PlatformError>) =>
      Effect.tapError(effect, () => Effect.ignore(fs.remove(temporary(folder, name), { force: true })))

  /** Writes a file beside its place, whole and durable, to be renamed later. */
  const prepare = (folder: string, name: string, bytes: Uint8Array, attributes: FileAttributes) =>
    fs
      .remove(temporary(folder, name), { force: true })
      .pipe(Effect.andThen(create(temporary(folder, name), bytes, attributes)), orCleared(folder, name))

  /** Removes an empty folder, such as a container's start makes of a missing file that is to be mounted. */
  const removeEmptyFolder = Effect.fnUntraced(function* (path: string) {
    const isFolder = (yield* orMissing(fs.stat(path)))?.type === "Directory"
    if (isFolder && (yield* fs.readDirectory(path)).length === 0) yield* fs.remove(path, { recursive: true })
  })

  /** Moves what was prepared into its place. The folder is not durable yet. */
  const place = (folder: string, name: string) => {
    const move = fs.rename(temporary(folder, name), `${folder}/${name}`)
    return Effect.catchIf(
      move,
      (error) => codeOf(error) === "EISDIR",
      () => Effect.andThen(removeEmptyFolder(`${folder}/${name}`), move)
    ).pipe(orCleared(folder, name))
  }

  /** Replaces a file in one step. */
  const replaceFile = (folder: string, name: string, bytes: Uint8Array, mode: number) =>
    prepare(folder, name, bytes, { mode }).pipe(
      Effect.andThen(place(folder, name)),
      Effect.andThen(syncFolder(folder)),
      Effect.uninterruptible
    )

  /** Makes a name a link, in one step, whatever stood there. The folder is not durable yet. */
  const replaceLink = (folder: string, name: string, target: string) =>
    fs
      .remove(temporary(folder, name), { force: true })
      .pipe(Effect.andThen(fs.symlink(target, temporary(folder, name))), Effect.andThen(place(folder, name)))

  return { syncFolder, ensureFolder, handOver, setMode, create, prepare, place, replaceFile, replaceLink }
}

export type Durable = ReturnType<typeof makeDurable>

const encoder = new TextEncoder()

/** A JSON file of a schema: how it is written, and how it is read back (undefined where it is not one). */
export const jsonFile = <A, I>(schema: Schema.Codec<A, I>) => {
  const encode = Schema.encodeSync(schema)
  const decode = Schema.decodeUnknownOption(schema)
  return {
    bytes: (value: A): Uint8Array => encoder.encode(`${JSON.stringify(encode(value))}\n`),
    parse: (bytes: Uint8Array): A | undefined => {
      const decoded = decode(parseJson(bytes)?.json)
      return decoded._tag === "Some" ? decoded.value : undefined
    }
  }
}
