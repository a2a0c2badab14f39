/** What stands in the folder: the installed generation, the remembered state, and how the disk differs. Writes nothing. */
import { Clock, Effect, type FileSystem, Option, Result } from "effect"
import { type Bundle, contentOf } from "../../domain/gatewayConfig/bundle.ts"
import { describeEdits } from "../../domain/gatewayConfig/drift.ts"
import { bundleOfFiles, type FileName, fileNames } from "../../domain/gatewayConfig/files.ts"
import { ConfigState, contentsOfRecord, type GenerationRecord } from "../../domain/gatewayConfig/state.ts"
import { ConfigStoreError, type Installed } from "../../services/ConfigStore.ts"
import { jsonFile, orMissing, readThroughLinks, stampOf } from "./durable.ts"
import type { Generations } from "./generations.ts"
import type { makeJournal } from "./journal.ts"
import { CURRENT, generationOfLink, linkOfName, readLinkOf } from "./links.ts"

export const STATE = ".state.json"
export const stateFile = jsonFile(ConfigState)

/** Which generation is installed, and how that is known. */
export interface Pointer {
  readonly by: "link" | "journal" | "none"
  readonly generation: number | undefined
  readonly unfinished: boolean
}

/** Where a file was changed too lately, the same stamp may hide a second change within the clock's grain. */
const GRAIN = 2_000

const modeText = (mode: number): string => (mode & 0o777).toString(8).padStart(4, "0")

export const makeObserver = (
  fs: FileSystem.FileSystem,
  generations: Generations,
  journal: ReturnType<typeof makeJournal>,
  directory: string
) => {
  const pointer: Effect.Effect<Pointer, Effect.Error<typeof journal.read>> = Effect.gen(function* () {
    const target = yield* readLinkOf(fs, `${directory}/${CURRENT}`)
    if (target !== undefined) return { by: "link", generation: generationOfLink(target), unfinished: false }
    const entry = yield* journal.read
    return entry === undefined
      ? { by: "none", generation: undefined, unfinished: false }
      : { by: "journal", generation: entry.generation, unfinished: !entry.done }
  })

  let knownState: { readonly stamp: string; readonly state: ConfigState } | undefined
  const state = Effect.gen(function* () {
    const path = `${directory}/${STATE}`
    const info = yield* orMissing(fs.lstat(path))
    if (info === undefined) return {} as ConfigState
    const stamp = stampOf(info)
    if (knownState?.stamp === stamp) return knownState.state
    // What is no regular file might never be read to its end.
    const parsed = info.type === "File" ? stateFile.parse(yield* fs.readFile(path)) : undefined
    if (parsed === undefined) {
      return yield* new ConfigStoreError({
        reason: "Damaged",
        problem: `${path} is not readable as this program's state (holds, rollbacks): restore or remove it`
      })
    }
    knownState = { stamp, state: parsed }
    return parsed
  })

  interface Known {
    readonly generation: number
    readonly record: GenerationRecord | undefined
    readonly bundle: Bundle | undefined
    readonly content: string | undefined
  }
  let known: Known | undefined
  const recall = Effect.fnUntraced(function* (generation: number) {
    if (known?.generation === generation && known.record !== undefined) return known
    const record = yield* generations.record(generation)
    const contents = record === undefined ? yield* generations.contents(generation) : contentsOfRecord(record)
    const bundle = Result.getOrUndefined(bundleOfFiles(contents))
    known = { generation, record, bundle, content: bundle === undefined ? undefined : contentOf(bundle) }
    verified.clear()
    return known
  })

  /** Stamps of the files behind the stable names, where they were compared and found as recorded. */
  const verified = new Map<FileName, string>()

  /** How the file at a path differs from the recorded one. */
  const compare = Effect.fnUntraced(function* (
    path: string,
    name: FileName,
    { bundle, record }: Known,
    mode: number | undefined
  ) {
    const file = record?.files[name]
    const found = yield* readThroughLinks(fs, path)
    const recorded = file === undefined ? {} : { [name]: file.content }
    const edits = describeEdits(recorded, bundle, found === undefined ? {} : { [name]: found })
    if (edits.length > 0 || mode === undefined || file === undefined || (mode & 0o777) === file.mode) return edits
    return [`${name}: mode ${modeText(mode)} instead of ${modeText(file.mode)}`]
  })

  const examine = Effect.fnUntraced(function* (
    at: Pointer,
    installed: Known,
    name: FileName,
    info: FileSystem.File.Info | undefined
  ) {
    const path = `${directory}/${name}`
    const target = at.by === "journal" ? linkOfName(name) : yield* readLinkOf(fs, path)
    const linked = at.by !== "journal" && target === linkOfName(name)
    const behind = linked ? `${generations.folder(installed.generation)}/${name}` : path
    const edits = yield* compare(behind, name, installed, info?.mode)
    if (edits.length > 0) return edits
    if (target !== linkOfName(name)) return [`${name}: no longer a link to ${linkOfName(name)}`]
    const changed = info === undefined ? undefined : Option.getOrUndefined(info.mtime)
    const now = yield* Clock.currentTimeMillis
    if (info !== undefined && changed !== undefined && now - changed.getTime() >= GRAIN) {
      verified.set(name, stampOf(info))
    }
    return []
  })

  const drift = Effect.fnUntraced(function* (at: Pointer, installed: Known) {
    const { generation, record } = installed
    if (record === undefined) return ["generation.json: removed or unreadable"]
    const found: Array<string> = []
    if (at.generation === undefined) found.push(`${CURRENT}: removed or replaced`)
    for (const name of fileNames) {
      // Through the links: another link, another file or another content all show in the stamp.
      const info = yield* orMissing(fs.stat(`${directory}/${name}`))
      if (info !== undefined && verified.get(name) === stampOf(info)) continue
      found.push(...(yield* examine(at, installed, name, info)))
    }
    const folder = yield* orMissing(fs.stat(generations.folder(generation)))
    const { folderMode = 0o755 } = record
    if (folder !== undefined && (folder.mode & 0o777) !== folderMode) {
      found.push(`generations/${generation}: mode ${modeText(folder.mode)} instead of ${modeText(folderMode)}`)
    }
    return found
  })

  /** The generation that should be installed: without the link `current`, the one last taken up. */
  const meant = Effect.fnUntraced(function* (at: Pointer) {
    if (at.generation !== undefined) return at.generation
    const settled = (yield* state).settled?.generation
    return settled !== undefined && (yield* generations.isWhole(settled)) ? settled : undefined
  })

  const read: Effect.Effect<Installed, Effect.Error<typeof journal.read> | ConfigStoreError> = Effect.gen(function* () {
    const remembered = yield* state
    const at = yield* pointer
    const generation = yield* meant(at)
    if (generation === undefined) {
      return {
        generation,
        record: undefined,
        bundle: undefined,
        content: undefined,
        state: remembered,
        drift: [],
        unfinished: false
      }
    }
    const installed = yield* recall(generation)
    return {
      ...installed,
      state: remembered,
      drift: at.unfinished ? [] : yield* drift(at, installed),
      unfinished: at.unfinished
    }
  })

  return { pointer, meant, state, read }
}
