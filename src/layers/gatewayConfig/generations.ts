/** The generation folders, `generations/<n>`: the three files and the record of what they were when installed. */
import { Effect, type FileSystem } from "effect"
import { bundleOfFiles, type Contents, type FileName, fileNames, sameFile } from "../../domain/gatewayConfig/files.ts"
import { type ConfigState, GenerationRecord } from "../../domain/gatewayConfig/state.ts"
import { ConfigStoreError } from "../../services/ConfigStore.ts"
import {
  type Durable,
  type FileAttributes,
  jsonFile,
  orMissing,
  readOwn,
  readThroughLinks,
  stampOf
} from "./durable.ts"

const RECORD = "generation.json"
const KEPT = 3
const recordFile = jsonFile(GenerationRecord)

export const makeGenerations = (fs: FileSystem.FileSystem, durable: Durable, directory: string) => {
  const root = `${directory}/generations`
  const folder = (generation: number) => `${root}/${generation}`

  const list = Effect.map(orMissing(fs.readDirectory(root)), (names = []) =>
    names
      .filter((name) => /^(0|[1-9][0-9]*)$/.test(name))
      .map(Number)
      .sort((a, b) => b - a)
  )

  const read = new Map<string, GenerationRecord>()

  /** Undefined where it is gone or not readable as a record of that generation. A record is parsed once. */
  const record = Effect.fnUntraced(function* (generation: number) {
    const path = `${folder(generation)}/${RECORD}`
    const info = yield* orMissing(fs.lstat(path))
    if (info?.type !== "File") return undefined
    const stamp = `${generation} ${stampOf(info)}`
    const known = read.get(stamp)
    if (known !== undefined) return known
    const bytes = yield* orMissing(fs.readFile(path))
    const parsed = bytes === undefined ? undefined : recordFile.parse(bytes)
    if (parsed?.generation !== generation) return undefined
    if (read.size > 2 * KEPT) read.clear()
    read.set(stamp, parsed)
    return parsed
  })

  const contentsBy = (read: typeof readOwn, path: string) =>
    Effect.map(
      Effect.forEach(fileNames, (name) => read(fs, `${path}/${name}`)),
      (found) =>
        Object.fromEntries(
          fileNames.flatMap((name, at) => (found[at] === undefined ? [] : [[name, found[at]]]))
        ) as Contents
    )

  /** The files as they stand under the three names, through links. */
  const contentsSeen = contentsBy(readThroughLinks, directory)

  const contents = (generation: number) => contentsBy(readOwn, folder(generation))

  /** Whether a generation is there with every file, as it was installed. */
  const isWhole = Effect.fnUntraced(function* (generation: number) {
    const recorded = yield* record(generation)
    if (recorded === undefined) return false
    const found = yield* contents(generation)
    return fileNames.every((name) => found[name] !== undefined && sameFile(found[name], recorded.files[name]?.content))
  })

  const modeOf = (path: string) => Effect.map(fs.stat(path), (info) => info.mode & 0o777)

  /**
   * Writes a generation whole and durable, not yet current: a fresh folder, files made exclusively with their final mode
   * and group, and read back. `check` also demands that the bytes read back are a valid configuration. Modes are
   * recorded as the file system gives them back: some give every file the same (CIFS, exFAT), whatever was asked for. `recorded` is what the record holds where that is not what was written.
   */
  const stage = Effect.fnUntraced(
    function* (
      head: Omit<GenerationRecord, "files" | "folderMode">,
      files: Contents,
      attributes: (name: FileName) => FileAttributes,
      options: { readonly check: boolean; readonly recorded?: GenerationRecord["files"] | undefined }
    ) {
      const path = folder(head.generation)
      yield* durable.ensureFolder(root)
      yield* fs.makeDirectory(path, { mode: 0o755 })
      yield* durable.handOver(path, root)
      yield* durable.setMode(path, 0o755)
      const folderMode = yield* modeOf(path)
      const written: Record<string, { readonly mode: number; readonly content: Uint8Array }> = {}
      for (const name of fileNames) {
        const content = files[name]
        if (content === undefined) continue
        yield* durable.create(`${path}/${name}`, content, attributes(name))
        written[name] = { mode: yield* modeOf(`${path}/${name}`), content }
      }
      const found = yield* contents(head.generation)
      const damaged = fileNames.find((name) => !sameFile(found[name], files[name]))
      if (damaged !== undefined || (options.check && bundleOfFiles(found)._tag === "Failure")) {
        return yield* new ConfigStoreError({
          reason: "Damaged",
          problem: `${path}: ${damaged ?? "the set"} reads back other than it was written: check the disk`
        })
      }
      const record = { ...head, folderMode, files: options.recorded ?? written }
      yield* durable.create(`${path}/${RECORD}`, recordFile.bytes(record), { mode: 0o600 })
      yield* durable.syncFolder(path)
      yield* durable.syncFolder(root)
    },
    (effect, head) => Effect.tapError(effect, () => Effect.ignore(remove(head.generation)))
  )

  const remove = (generation: number) => fs.remove(folder(generation), { recursive: true, force: true })

  /** The generations to keep: the current one and those it can go back to, three in all; what was left by a rollback. */
  const kept = Effect.fnUntraced(function* (current: number | undefined, state: ConfigState) {
    const keep = new Set<number>()
    let next = current ?? state.settled?.generation
    while (next !== undefined && keep.size < KEPT && !keep.has(next)) {
      keep.add(next)
      next = (yield* record(next))?.parent ?? undefined
    }
    // What the gateway last took up is what a failed reload goes back to.
    const settled = state.settled?.generation
    if (settled !== undefined && !keep.has(settled) && (yield* isWhole(settled))) keep.add(settled)
    if (state.keptOut !== undefined) keep.add(state.keptOut.generation)
    return keep
  })

  /** A number no generation has or had; 0 is for the files found at first. */
  const next = (state: ConfigState) =>
    Effect.map(
      list,
      ([highest = 0]) =>
        1 + Math.max(highest, state.newest ?? 0, state.settled?.generation ?? 0, state.keptOut?.generation ?? 0)
    )

  return { root, folder, list, record, contents, contentsSeen, isWhole, stage, remove, kept, next }
}

export type Generations = ReturnType<typeof makeGenerations>
