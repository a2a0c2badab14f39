/** Effect's `FileSystem` over a {@link SimulatedDisk}: every operation in memory and at once, under the ambient clock. */
import { ByteSize, Clock, Effect, FileSystem, Layer, Option, PlatformError, Stream } from "effect"
import { DiskError, type DiskNode, type FileNode, PowerCut, SimulatedDisk } from "./SimulatedDisk.ts"

const tags: Record<string, PlatformError.SystemErrorTag> = {
  ENOENT: "NotFound",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
  EEXIST: "AlreadyExists",
  EISDIR: "BadResource",
  ENOTDIR: "BadResource",
  ELOOP: "BadResource",
  EBUSY: "Busy"
}

/** Runs a disk operation; a system error becomes a `PlatformError` as Node's layer makes it, a power cut a defect. */
const operation = <A>(
  method: string,
  path: string | number,
  run: (now: number) => A
): Effect.Effect<A, PlatformError.PlatformError> =>
  Clock.clockWith((clock) => {
    try {
      return Effect.succeed(run(clock.currentTimeMillisUnsafe()))
    } catch (cause) {
      if (cause instanceof PowerCut) return Effect.die(cause)
      if (!(cause instanceof DiskError)) throw cause
      return Effect.fail(
        PlatformError.systemError({
          _tag: tags[cause.code] ?? "Unknown",
          module: "FileSystem",
          method,
          pathOrDescriptor: path,
          cause
        })
      )
    }
  })

const types = { file: "File", folder: "Directory", link: "SymbolicLink" } as const

const infoOf = (node: DiskNode): FileSystem.File.Info => ({
  type: types[node.kind],
  mtime: Option.some(new Date(node.mtime)),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 1n,
  rdev: Option.none(),
  ino: Option.some(node.ino),
  mode: node.mode | (node.kind === "file" ? 0o100_000 : node.kind === "folder" ? 0o040_000 : 0o120_000),
  nlink: Option.some(1n),
  uid: Option.some(node.uid),
  gid: Option.some(node.gid),
  size: ByteSize.bytes(node.kind === "file" ? node.data.length : 0),
  blksize: Option.none(),
  blocks: Option.none()
})

const millis = (time: Date | number): number => (typeof time === "number" ? time * 1_000 : time.getTime())

/** As with Node's, what fails on an open file names its descriptor, not its path. */
const makeFile = (
  disk: SimulatedDisk,
  path: string,
  descriptor: number,
  node: DiskNode,
  append: boolean
): FileSystem.File => {
  let cursor = 0
  const file = (): FileNode => {
    if (node.kind !== "file") throw new DiskError("EISDIR")
    return node
  }
  const write = (bytes: Uint8Array, now: number) => {
    const position = append ? file().data.length : cursor
    disk.write(path, file(), position, bytes, now)
    if (!append) cursor = position + bytes.length
    return bytes.length
  }
  const read = (length: number, at: bigint | undefined) => {
    disk.look("read", path)
    const from = at === undefined ? cursor : Number(at)
    const bytes = file().data.slice(from, from + length)
    if (at === undefined) cursor = from + bytes.length
    return bytes
  }
  return {
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    stat: operation("stat", descriptor, () => infoOf(node)),
    sync: operation("sync", descriptor, () => disk.sync(path, node)),
    seek: (offset, from) =>
      operation("seek", descriptor, () => {
        cursor = from === "start" ? Number(offset) : cursor + Number(offset)
        return BigInt(cursor)
      }),
    read: (buffer, options) =>
      operation("read", descriptor, () => {
        const bytes = read(buffer.length, options?.position)
        buffer.set(bytes)
        return bytes.length
      }),
    readAlloc: (size, options) =>
      operation("readAlloc", descriptor, () => {
        const bytes = read(size, options?.position)
        return bytes.length === 0 ? Option.none() : Option.some(bytes)
      }),
    truncate: (length = 0) =>
      operation("truncate", descriptor, (now) => {
        disk.truncate(path, file(), length, now)
        if (!append) cursor = Math.min(cursor, length)
      }),
    write: (bytes) => operation("write", descriptor, (now) => write(bytes, now)),
    writeAll: (bytes) => operation("writeAll", descriptor, (now) => void write(bytes, now))
  }
}

/** The service over a disk, which a test keeps to crash it, count on it and look into it. */
export const make = (disk: SimulatedDisk): FileSystem.FileSystem => {
  let serial = 0
  let descriptors = 2
  const openNow = (path: string, flag: FileSystem.OpenFlag, mode: number, now: number): DiskNode => {
    disk.look("open", path)
    if (flag === "r" || flag === "r+") return disk.at(path)
    const node = disk.createFile(path, mode, flag.includes("x"), now)
    if (flag.startsWith("w") && node.data.length > 0) disk.truncate(path, node, 0, now)
    return node
  }
  const makeTemp = (method: string, folder = "/tmp", prefix = "") =>
    operation(method, folder, (now) => {
      const path = `${folder}/${prefix}${++serial}`
      disk.makeFolder(path, 0o700, true, now)
      return path
    })
  const makeTempFile: FileSystem.FileSystem["makeTempFile"] = (options) =>
    Effect.flatMap(makeTemp("makeTempFile", options?.directory, options?.prefix), (folder) =>
      operation("makeTempFile", folder, (now) => {
        const path = `${folder}/${++serial}${options?.suffix ?? ""}`
        disk.createFile(path, 0o600, true, now)
        return path
      })
    )
  const discard = (path: string) =>
    operation("remove", path, (now) => disk.remove(path, true, true, now)).pipe(Effect.ignore)
  const copyFile = (from: string, to: string) =>
    operation("copyFile", from, (now) => {
      const { data, mode } = disk.fileAt(from)
      const node = disk.createFile(to, mode, false, now)
      disk.truncate(to, node, 0, now)
      disk.write(to, node, 0, data, now)
    })
  const copy: FileSystem.FileSystem["copy"] = (from, to, options) =>
    operation("copy", from, () => disk.at(from)).pipe(
      Effect.flatMap((node) =>
        node.kind === "folder"
          ? Effect.andThen(
              operation("copy", to, (now) => disk.makeFolder(to, node.mode, true, now)),
              Effect.forEach([...node.entries.keys()], (name) => copy(`${from}/${name}`, `${to}/${name}`, options), {
                discard: true
              })
            )
          : copyFile(from, to)
      )
    )
  const readDirectory = (path: string, deep: boolean): Array<string> =>
    [...disk.folderAt(path).entries].flatMap(([name, node]) =>
      deep && node.kind === "folder"
        ? [name, ...readDirectory(`${path}/${name}`, true).map((below) => `${name}/${below}`)]
        : [name]
    )
  return FileSystem.make({
    access: (path) => operation("access", path, () => void disk.at(path)),
    chmod: (path, mode) => operation("chmod", path, () => disk.setMeta("chmod", path, { mode: mode & 0o7777 })),
    chown: (path, uid, gid) =>
      operation("chown", path, () =>
        disk.setMeta("chown", path, { ...(uid === -1 ? {} : { uid }), ...(gid === -1 ? {} : { gid }) })
      ),
    copy,
    copyFile,
    link: (from, to) => operation("link", to, (now) => disk.makeHardLink(from, to, now)),
    lstat: (path) =>
      operation("lstat", path, () => {
        disk.look("lstat", path)
        return infoOf(disk.at(path, false))
      }),
    makeDirectory: (path, options) =>
      operation("makeDirectory", path, (now) =>
        disk.makeFolder(path, options?.mode ?? 0o777, options?.recursive ?? false, now)
      ),
    makeTempDirectory: (options) => makeTemp("makeTempDirectory", options?.directory, options?.prefix),
    makeTempDirectoryScoped: (options) =>
      Effect.acquireRelease(makeTemp("makeTempDirectoryScoped", options?.directory, options?.prefix), discard),
    makeTempFile,
    makeTempFileScoped: (options) => Effect.acquireRelease(makeTempFile(options), discard),
    open: (path, options) =>
      Effect.map(
        operation("open", path, (now) => openNow(path, options?.flag ?? "r", options?.mode ?? 0o666, now)),
        (node) => makeFile(disk, path, ++descriptors, node, options?.flag?.startsWith("a") ?? false)
      ),
    readDirectory: (path, options) =>
      operation("readDirectory", path, () => {
        disk.look("readDirectory", path)
        return readDirectory(path, options?.recursive ?? false)
      }),
    readDirectoryEntries: (path) =>
      operation("readDirectoryEntries", path, () =>
        [...disk.folderAt(path).entries].map(([name, node]) => ({ name, type: types[node.kind] }))
      ),
    readFile: (path) =>
      operation("readFile", path, () => {
        disk.look("readFile", path)
        return disk.fileAt(path).data.slice()
      }),
    readLink: (path) =>
      operation("readLink", path, () => {
        disk.look("readLink", path)
        const node = disk.at(path, false)
        if (node.kind !== "link") throw new DiskError("EINVAL")
        return node.target
      }),
    realPath: (path) =>
      operation("realPath", path, () => {
        disk.at(path)
        return disk.resolve(path, true).path
      }),
    remove: (path, options) =>
      operation("remove", path, (now) => {
        disk.look("rm", path)
        disk.remove(path, options?.recursive ?? false, options?.force ?? false, now)
      }),
    rename: (from, to) => operation("rename", from, (now) => disk.rename(from, to, now)),
    stat: (path) =>
      operation("stat", path, () => {
        disk.look("stat", path)
        return infoOf(disk.at(path))
      }),
    symlink: (target, path) => operation("symlink", path, (now) => disk.makeLink(target, path, now)),
    truncate: (path, length = 0) =>
      operation("truncate", path, (now) => disk.truncate(path, disk.fileAt(path), length, now)),
    utimes: (path, _atime, mtime) => operation("utimes", path, () => disk.setMeta("utimes", path, {}, millis(mtime))),
    watch: () => Stream.never,
    writeFile: (path, bytes, options) =>
      operation("writeFile", path, (now) => {
        const node = openNow(path, options?.flag ?? "w", options?.mode ?? 0o666, now)
        if (node.kind !== "file") throw new DiskError("EISDIR")
        disk.write(path, node, options?.flag?.startsWith("a") ? node.data.length : 0, bytes, now)
      })
  })
}

/**
 * Effect's `FileSystem` over a {@link SimulatedDisk} of its own, empty each time the layer is built. Operations fail with
 * `PlatformError` as Node's do.
 *
 * @example
 * ```ts
 * import { Effect, FileSystem } from "effect"
 * import { MemoryFileSystem } from "job-collector/testing"
 *
 * export const example = Effect.gen(function* () {
 *   const files = yield* FileSystem.FileSystem
 *   yield* files.writeFileString("/note", "hello")
 *   return (yield* files.readFileString("/note")) === "hello"
 * }).pipe(Effect.provide(MemoryFileSystem.layer))
 * ```
 */
export const layer: Layer.Layer<FileSystem.FileSystem> = Layer.sync(FileSystem.FileSystem, () =>
  make(new SimulatedDisk())
)

/** The same over a given disk, which the test keeps. */
export const layerDisk = (disk: SimulatedDisk): Layer.Layer<FileSystem.FileSystem> =>
  Layer.succeed(FileSystem.FileSystem, make(disk))
