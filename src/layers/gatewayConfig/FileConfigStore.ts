/**
 * The configuration folder on a file system.
 *
 * | path in `CONFIG_DIR` | what it is |
 * | --- | --- |
 * | `openai.conf`, `models.conf`, `limits.conf` | links to `current/<name>` |
 * | `current` | link to `generations/<n>`: its rename is the commit |
 * | `generations/<n>/` | the three files and `generation.json` (0600), folder 0755 |
 * | `.state.json` | holds, rollbacks, acceptances, what the gateway took up (0600) |
 * | `.lock` | who writes, while someone does |
 * | `.journal.json` | only where links cannot be made, instead of `current`; the three are plain files then |
 *
 * An install costs seven fsyncs: three files, their record, the folder, `generations` and `CONFIG_DIR`.
 */
import { Clock, Effect, FileSystem, Layer, type PlatformError, Result } from "effect"
import { bundleOfFiles, fileMode, fileNames, sameFile } from "../../domain/gatewayConfig/files.ts"
import type { ConfigSyncOptions } from "../../domain/gatewayConfig/options.ts"
import { type ConfigState, contentsOfRecord } from "../../domain/gatewayConfig/state.ts"
import { ConfigStore, ConfigStoreError, type Installation } from "../../services/ConfigStore.ts"
import { makeDurable, orMissing } from "./durable.ts"
import { makeGenerations } from "./generations.ts"
import { groupNumber } from "./group.ts"
import { makeJournal } from "./journal.ts"
import { makeLinks } from "./links.ts"
import { makeLock } from "./lock.ts"
import { makeObserver, type Pointer, STATE, stateFile } from "./observe.ts"
import { storeError } from "./storeFailure.ts"

const isLeftover = (name: string): boolean =>
  /^\.(current|probe|(openai|models|limits)\.conf|(state|journal)\.json|lock\.[a-z0-9-]+)\.tmp$/.test(name)

const mapped = <A, R>(effect: Effect.Effect<A, PlatformError.PlatformError | ConfigStoreError, R>) =>
  Effect.mapError(effect, (error) => (error._tag === "PlatformError" ? storeError(error) : error))

const make = Effect.fnUntraced(function* (options: Pick<ConfigSyncOptions, "directory" | "fileGroup">) {
  const fs = yield* FileSystem.FileSystem
  const directory = options.directory.replace(/(?<=.)\/+$/, "")
  const durable = makeDurable(fs)
  const generations = makeGenerations(fs, durable, directory)
  const links = makeLinks(fs, durable, generations, directory)
  const journal = makeJournal(fs, durable, generations, directory)
  const observer = makeObserver(fs, generations, journal, directory)
  const locked = yield* makeLock(fs, durable, directory)

  const update = Effect.fnUntraced(function* (change: (state: ConfigState) => ConfigState) {
    const before = yield* observer.state
    const after = change(before)
    if (after !== before) yield* durable.replaceFile(directory, STATE, stateFile.bytes(after), 0o600)
    return after
  })

  /** Own files of an earlier life that nothing refers to, and generations that nobody can go back to. */
  const leftovers = Effect.gen(function* () {
    const { generation } = yield* observer.pointer
    const keep = yield* generations.kept(generation, yield* observer.state)
    const names = (yield* orMissing(fs.readDirectory(directory))) ?? []
    const numbers = yield* generations.list
    const [newest] = numbers
    return {
      paths: [
        ...names.filter(isLeftover).map((name) => `${directory}/${name}`),
        ...numbers.filter((number) => number !== newest && !keep.has(number)).map(generations.folder)
      ],
      /** The generation of the highest number of all, where it goes too: after rollbacks, or a crash. */
      newest: newest !== undefined && !keep.has(newest) ? newest : undefined
    }
  })

  const sweep = Effect.gen(function* () {
    const { newest, paths } = yield* leftovers
    // First what needs no room on the disk, and makes some.
    yield* Effect.forEach(paths, (path) => fs.remove(path, { recursive: true, force: true }), { discard: true })
    if (newest === undefined) return
    // A reader may still be in that folder, which another generation of the same number would change under it.
    yield* update((state) => ({ ...state, newest: Math.max(newest, state.newest ?? 0) }))
    yield* generations.remove(newest)
  })

  /** Removes a generation that was staged and could not be published: nobody has seen it, and its number is free again. */
  const withdraw = (generation: number) =>
    Effect.flatMap(observer.pointer, (at) =>
      at.generation === generation ? Effect.void : Effect.andThen(generations.remove(generation), sweep)
    )

  const recover = Effect.gen(function* () {
    const { generation, unfinished } = yield* observer.pointer
    // A process that was killed between the commit and its sync left a set that a power cut could still take back.
    if (generation !== undefined) yield* durable.syncFolder(directory)
    const stranded = (yield* orMissing(fs.lstat(`${directory}/.lock`))) !== undefined
    const { newest, paths } = yield* leftovers
    if (!unfinished && !stranded && paths.length === 0 && newest === undefined) return
    yield* locked(Effect.andThen(journal.rollForward, sweep))
  })

  /** Makes a staged or kept generation the installed one. */
  const publish = Effect.fnUntraced(function* (
    generation: number,
    by: "link" | "journal",
    before: Pointer,
    gid: number | undefined
  ) {
    if (by === "link") return yield* links.commit(generation)
    const record = yield* generations.record(generation)
    const previous = before.generation === undefined ? undefined : yield* generations.record(before.generation)
    if (record !== undefined) yield* journal.commit(record, previous, gid)
  })

  /** Readies the folder for a commit: links in place, or the files found at first kept; returns what is current then. */
  const ready = Effect.fnUntraced(function* (now: number) {
    const at = yield* observer.pointer
    // The folder itself may have been made by a process that was killed before it was durable.
    if (at.generation === undefined) yield* Effect.ignore(durable.syncFolder(`${directory}/..`))
    const by = at.by === "journal" || !(yield* links.possible) ? ("journal" as const) : ("link" as const)
    const first = at.generation === undefined && (yield* generations.list).length === 0
    const next = first ? 0 : yield* generations.next(yield* observer.state)
    if (by === "link") {
      const record = at.generation === undefined ? undefined : yield* generations.record(at.generation)
      yield* links.secureNames(
        at.generation === undefined ? undefined : { generation: at.generation, record },
        next,
        now
      )
      return { by, before: yield* observer.pointer }
    }
    if (at.generation !== undefined) return { by, before: at }
    const kept = yield* links.adopt(next, now)
    return { by, before: { ...at, generation: kept } }
  })

  /** `parent`: the generation a rollback goes back to from here, where that is not the one installed till now. */
  const install = Effect.fnUntraced(function* (installation: Installation, parent?: number | null) {
    const now = yield* Clock.currentTimeMillis
    yield* durable.ensureFolder(generations.root)
    yield* journal.rollForward
    yield* sweep
    const gid = options.fileGroup === undefined ? undefined : yield* groupNumber(fs, options.fileGroup)
    const { by, before } = yield* ready(now)
    const base = yield* observer.meant(before)
    const record = base === undefined ? undefined : yield* generations.record(base)
    const generation = yield* generations.next(yield* observer.state)
    yield* generations.stage(
      {
        generation,
        version: installation.version,
        etag: installation.etag,
        installedAt: now,
        reason: installation.reason,
        // A repair takes the place of what it repairs.
        parent: (parent !== undefined ? parent : installation.reason === "repair" ? record?.parent : base) ?? null
      },
      installation.contents,
      (name) => ({ mode: fileMode(name, gid !== undefined), gid }),
      { check: Result.isSuccess(bundleOfFiles(installation.contents)) }
    )
    yield* publish(generation, by, before, gid).pipe(Effect.tapError(() => Effect.ignore(withdraw(generation))))
    yield* Effect.ignore(sweep)
    return generation
  })

  const revert = Effect.fnUntraced(function* (generation: number) {
    const record = yield* generations.record(generation)
    if (record === undefined || fileNames.some((name) => record.files[name] === undefined)) {
      return yield* new ConfigStoreError({
        reason: "NoGeneration",
        problem: `generation ${generation} is not there whole: see "config history"`
      })
    }
    const recorded = contentsOfRecord(record)
    const found = yield* generations.contents(generation)
    if (fileNames.some((name) => !sameFile(found[name], recorded[name]))) {
      const { etag, parent, version } = record
      return yield* install({ contents: recorded, version, etag, reason: "install" }, parent)
    }
    const { by, before } = yield* ready(yield* Clock.currentTimeMillis)
    yield* publish(generation, by, before, undefined)
    return generation
  })

  const history = Effect.gen(function* () {
    const { generation: current } = yield* observer.pointer
    const numbers = yield* generations.list
    return yield* Effect.forEach(numbers, (generation) =>
      Effect.map(generations.record(generation), (record) => ({ generation, record, current: generation === current }))
    )
  })

  const existing = Effect.gen(function* () {
    if (yield* fs.exists(directory)) return
    return yield* new ConfigStoreError({
      reason: "NoFolder",
      problem: `CONFIG_DIR: there is no folder ${directory}: name the one that the service writes to`
    })
  })

  return ConfigStore.of({
    read: mapped(observer.read),
    existing: mapped(existing),
    locked,
    recover: mapped(recover),
    install: (installation) => mapped(install(installation)),
    revert: (generation) => mapped(revert(generation)),
    update: (change) => mapped(update(change)),
    history: mapped(history)
  })
})

/** A `ConfigStore` in a folder. With `Processes` around, a dead writer's lock is known at once; without, by its silence. */
export const layer = (
  options: Pick<ConfigSyncOptions, "directory" | "fileGroup">
): Layer.Layer<ConfigStore, never, FileSystem.FileSystem> => Layer.effect(ConfigStore, make(options))
