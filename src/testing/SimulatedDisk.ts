/**
 * A disk in memory that loses what a real one may lose. A file's bytes and mode are durable after the file's `sync`, a
 * folder's entries after the folder's `sync`, nothing else is; `crash` drops or reorders the rest. A rename is one
 * change of its folder: the target is the old or the new file, never missing (POSIX rename(2)).
 */

/** An operation failed with a system error code such as `ENOSPC`. */
export class DiskError extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** The machine stopped at this operation; nothing of the program runs after it. */
export class PowerCut extends Error {
  constructor() {
    super("the simulated machine stopped")
  }
}

interface Meta {
  mode: number
  uid: number
  gid: number
}

interface NodeBase extends Meta {
  readonly ino: bigint
  mtime: number
  durableMeta: Meta | undefined
}
export interface FileNode extends NodeBase {
  readonly kind: "file"
  data: Uint8Array
  durable: Uint8Array | undefined
}
export interface LinkNode extends NodeBase {
  readonly kind: "link"
  readonly target: string
}
export interface FolderNode extends NodeBase {
  readonly kind: "folder"
  entries: Map<string, DiskNode>
  durable: Map<string, DiskNode>
  /** Changes since the last sync, each a set of names that change together. */
  pending: Array<ReadonlyMap<string, DiskNode | undefined>>
}
export type DiskNode = FileNode | LinkNode | FolderNode

/** What a crash does to what was not synced: nothing (the process died), drops it, or keeps some of it in any order. */
export type CrashKind = "process" | "loss" | "reorder"

export interface DiskOptions {
  /** Names an error code for an operation that is to fail. */
  readonly fault?: (operation: string, path: string) => string | undefined
  readonly umask?: number
}

const nothing = new Uint8Array(0)

const split = new Map<string, ReadonlyArray<string>>()

/** The names of a path; the same few paths come again and again. */
const partsOf = (path: string): ReadonlyArray<string> => {
  const known = split.get(path)
  if (known !== undefined) return known
  const parts = path.split("/").filter((name) => name !== "" && name !== ".")
  if (split.size > 10_000) split.clear()
  split.set(path, parts)
  return parts
}

/** A disk for {@link MemoryFileSystem}: it can be crashed, made to fail, counted on and looked into. */
export class SimulatedDisk {
  root: FolderNode
  /** How many mutating operations ran. */
  operations = 0
  /** How many syncs ran. */
  syncs = 0
  /** The one mode of every file and folder, as on a file system that keeps none (CIFS, exFAT): `chmod` changes nothing. */
  fixedMode: number | undefined
  /** Who makes what is made. */
  user: { readonly uid: number; readonly gid: number } = { uid: 0, gid: 0 }
  /** The machine stops before the operation of this number. */
  stopBefore = Number.POSITIVE_INFINITY
  fault: (operation: string, path: string) => string | undefined
  /** Called after each operation, mutating or not, with its name. */
  observe: (operation: string, path: string) => void = () => {}
  private off = false
  private serial = 0n
  private readonly umask: number

  constructor(options: DiskOptions = {}) {
    this.fault = options.fault ?? (() => undefined)
    this.umask = options.umask ?? 0o022
    this.root = this.folder(0o777, 0)
    this.root.durableMeta = { mode: 0o755, uid: 0, gid: 0 }
  }

  private base(mode: number, now: number): NodeBase {
    this.serial += 1n
    const kept = this.fixedMode ?? mode & ~this.umask
    return { ino: this.serial, mode: kept, ...this.user, mtime: now, durableMeta: undefined }
  }
  private folder(mode: number, now: number): FolderNode {
    return { ...this.base(mode, now), kind: "folder", entries: new Map(), durable: new Map(), pending: [] }
  }

  /** Before a read. */
  look(operation: string, path: string): void {
    if (this.off) throw new PowerCut()
    const code = this.fault(operation, path)
    if (code !== undefined) throw new DiskError(code)
    this.observe(operation, path)
  }

  /** Before a change: the machine may stop here, `torn` doing half of it first. */
  step(operation: string, path: string, torn?: () => void): void {
    if (this.off) throw new PowerCut()
    this.operations += 1
    if (this.operations >= this.stopBefore) {
      this.off = true
      torn?.()
      throw new PowerCut()
    }
    this.look(operation, path)
  }

  private change(folder: FolderNode, names: ReadonlyMap<string, DiskNode | undefined>, now: number): void {
    for (const [name, node] of names) {
      if (node === undefined) folder.entries.delete(name)
      else folder.entries.set(name, node)
    }
    folder.pending.push(names)
    folder.mtime = now
  }

  /** Where a path leads: its folder, its last name, and the node there, if any. Links are followed, the last if asked. */
  resolve(
    path: string,
    follow: boolean
  ): { folder: FolderNode; name: string; node: DiskNode | undefined; path: string } {
    let names = partsOf(path)
    const trail: Array<{ readonly folder: FolderNode; readonly name: string }> = []
    let folder = this.root
    let hops = 0
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string
      if (name === "..") {
        folder = trail.pop()?.folder ?? this.root
        continue
      }
      const node = folder.entries.get(name)
      const last = at === names.length - 1
      if (node?.kind === "link" && (!last || follow)) {
        if (++hops > 40) throw new DiskError("ELOOP")
        if (node.target.startsWith("/")) {
          folder = this.root
          trail.length = 0
        }
        names = [...partsOf(node.target), ...names.slice(at + 1)]
        at = -1
        continue
      }
      if (last) return { folder, name, node, path: `/${[...trail.map((t) => t.name), name].join("/")}` }
      if (node === undefined) throw new DiskError("ENOENT")
      if (node.kind !== "folder") throw new DiskError("ENOTDIR")
      trail.push({ folder, name })
      folder = node
    }
    return { folder, name: "", node: folder, path: `/${trail.map((t) => t.name).join("/")}` }
  }

  at(path: string, follow = true): DiskNode {
    const { node } = this.resolve(path, follow)
    if (node === undefined) throw new DiskError("ENOENT")
    return node
  }
  fileAt(path: string): FileNode {
    const node = this.at(path)
    if (node.kind !== "file") throw new DiskError("EISDIR")
    return node
  }
  folderAt(path: string): FolderNode {
    const node = this.at(path)
    if (node.kind !== "folder") throw new DiskError("ENOTDIR")
    return node
  }

  createFile(path: string, mode: number, exclusive: boolean, now: number): FileNode {
    const { folder, name, node } = this.resolve(path, !exclusive)
    if (node !== undefined) {
      if (exclusive) throw new DiskError("EEXIST")
      if (node.kind !== "file") throw new DiskError("EISDIR")
      return node
    }
    this.step("create", path)
    const file: FileNode = { ...this.base(mode, now), kind: "file", data: nothing, durable: undefined }
    this.change(folder, new Map([[name, file]]), now)
    return file
  }

  write(path: string, file: FileNode, position: number, bytes: Uint8Array, now: number): void {
    const put = (part: Uint8Array): void => {
      const grown = new Uint8Array(Math.max(file.data.length, position + part.length))
      grown.set(file.data)
      grown.set(part, position)
      file.data = grown
      file.mtime = now
    }
    this.step("write", path, () => put(bytes.subarray(0, bytes.length >> 1)))
    put(bytes)
  }

  truncate(path: string, file: FileNode, length: number, now: number): void {
    this.step("truncate", path)
    const cut = new Uint8Array(length)
    cut.set(file.data.subarray(0, length))
    file.data = cut
    file.mtime = now
  }

  setMeta(operation: "chmod" | "chown" | "utimes", path: string, set: Partial<Meta>, mtime?: number): void {
    const node = this.at(path)
    this.step(operation, path)
    if (operation === "chmod" && this.fixedMode !== undefined) return
    Object.assign(node, set)
    if (mtime !== undefined) node.mtime = mtime
  }

  makeFolder(path: string, mode: number, recursive: boolean, now: number): void {
    if (recursive) {
      const names = partsOf(path)
      for (let n = 1; n < names.length; n++) {
        const above = `/${names.slice(0, n).join("/")}`
        if (this.resolve(above, true).node === undefined) this.makeFolder(above, mode, false, now)
      }
    }
    const { folder, name, node } = this.resolve(path, true)
    if (node !== undefined) {
      if (recursive && node.kind === "folder") return
      throw new DiskError("EEXIST")
    }
    this.step("mkdir", path)
    this.change(folder, new Map([[name, this.folder(mode, now)]]), now)
  }

  makeLink(target: string, path: string, now: number): void {
    const { folder, name, node } = this.resolve(path, false)
    if (node !== undefined) throw new DiskError("EEXIST")
    this.step("symlink", path)
    this.change(folder, new Map([[name, { ...this.base(0o777, now), mode: 0o777, kind: "link", target }]]), now)
  }

  makeHardLink(from: string, to: string, now: number): void {
    const node = this.at(from, false)
    const place = this.resolve(to, false)
    if (place.node !== undefined) throw new DiskError("EEXIST")
    this.step("link", to)
    this.change(place.folder, new Map([[place.name, node]]), now)
  }

  rename(from: string, to: string, now: number): void {
    const old = this.resolve(from, false)
    const place = this.resolve(to, false)
    if (old.node === undefined) throw new DiskError("ENOENT")
    if (place.node?.kind === "folder") {
      if (old.node.kind !== "folder") throw new DiskError("EISDIR")
      if (place.node.entries.size > 0) throw new DiskError("ENOTEMPTY")
    } else if (place.node !== undefined && old.node.kind === "folder") throw new DiskError("ENOTDIR")
    this.step("rename", to)
    if (old.folder === place.folder) {
      this.change(
        old.folder,
        new Map([
          [old.name, undefined],
          [place.name, old.node]
        ]),
        now
      )
    } else {
      this.change(place.folder, new Map([[place.name, old.node]]), now)
      this.change(old.folder, new Map([[old.name, undefined]]), now)
    }
  }

  remove(path: string, recursive: boolean, force: boolean, now: number): void {
    const { folder, name, node } = this.resolve(path, false)
    if (node === undefined) {
      if (force) return
      throw new DiskError("ENOENT")
    }
    if (node.kind === "folder") {
      if (!recursive) throw new DiskError(node.entries.size > 0 ? "ENOTEMPTY" : "EISDIR")
      for (const child of [...node.entries.keys()]) this.remove(`${path}/${child}`, true, true, now)
    }
    this.step("remove", path)
    this.change(folder, new Map([[name, undefined]]), now)
  }

  sync(path: string, node: DiskNode): void {
    this.step("sync", path)
    this.syncs += 1
    node.durableMeta = { mode: node.mode, uid: node.uid, gid: node.gid }
    if (node.kind === "file") node.durable = node.data
    if (node.kind === "folder") {
      node.durable = new Map(node.entries)
      node.pending = []
    }
  }

  /** A disk of the same contents, synced or not, that goes its own way from here. */
  fork(): SimulatedDisk {
    const other = new SimulatedDisk({ fault: this.fault, umask: this.umask })
    const copies = new Map<DiskNode, DiskNode>()
    const copy = (node: DiskNode): DiskNode => {
      const known = copies.get(node)
      if (known !== undefined) return known
      const made = { ...node }
      copies.set(node, made)
      if (made.kind === "folder") {
        const entries = (names: ReadonlyMap<string, DiskNode>) =>
          new Map([...names].map(([name, n]) => [name, copy(n)]))
        made.entries = entries(made.entries)
        made.durable = entries(made.durable)
        made.pending = made.pending.map(
          (names) => new Map([...names].map(([name, n]) => [name, n === undefined ? undefined : copy(n)]))
        )
      }
      return made
    }
    other.root = copy(this.root) as FolderNode
    other.serial = this.serial
    return other
  }

  /** What a reader finds: text by path, links as `-> target`, folders left out. */
  snapshot(): Map<string, string> {
    const found = new Map<string, string>()
    const walk = (path: string, node: DiskNode): void => {
      if (node.kind === "folder") for (const [name, child] of node.entries) walk(`${path}/${name}`, child)
      else found.set(path, node.kind === "link" ? `-> ${node.target}` : new TextDecoder().decode(node.data))
    }
    walk("", this.root)
    return found
  }

  /** Stops the machine and starts it again. `random` gives numbers in [0, 1). */
  crash(kind: CrashKind, random: () => number = () => 0): void {
    this.off = false
    this.stopBefore = Number.POSITIVE_INFINITY
    if (kind === "process") return
    const seen = new Set<DiskNode>()
    const restart = (node: DiskNode): void => {
      if (seen.has(node)) return
      seen.add(node)
      const keep = kind === "reorder" && random() < 0.5
      if (node.durableMeta !== undefined && !keep) Object.assign(node, node.durableMeta)
      if (node.kind === "file") {
        const survives = node.durable === node.data ? 1 : kind === "reorder" ? Math.floor(random() * 3) / 2 : 0
        node.data =
          survives === 0 ? (node.durable ?? nothing) : node.data.subarray(0, Math.ceil(node.data.length * survives))
        node.durable = node.data
      }
      if (node.kind === "folder") {
        node.entries = new Map(node.durable)
        for (const names of node.pending) {
          if (kind === "loss" || random() < 0.5) continue
          for (const [name, child] of names) {
            if (child === undefined) node.entries.delete(name)
            else node.entries.set(name, child)
          }
        }
        node.durable = new Map(node.entries)
        node.pending = []
        for (const child of node.entries.values()) restart(child)
      }
      node.durableMeta = { mode: node.mode, uid: node.uid, gid: node.gid }
    }
    restart(this.root)
  }
}
