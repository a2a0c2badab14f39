/**
 * How a generation becomes the installed one where links cannot be made: the files are prepared beside their places, a
 * journal is the commit point, three renames follow, and whoever comes after a crash completes them.
 */
import { Effect, type FileSystem } from "effect"
import { type Contents, fileNames, sameFile } from "../../domain/gatewayConfig/files.ts"
import { contentsOfRecord, type GenerationRecord, Journal } from "../../domain/gatewayConfig/state.ts"
import { type Durable, jsonFile, orMissing, readOwn, readThroughLinks } from "./durable.ts"
import type { Generations } from "./generations.ts"

const JOURNAL = ".journal.json"
const journalFile = jsonFile(Journal)

export const makeJournal = (
  fs: FileSystem.FileSystem,
  durable: Durable,
  generations: Generations,
  directory: string
) => {
  const read = Effect.map(readOwn(fs, `${directory}/${JOURNAL}`), (bytes) =>
    bytes === undefined ? undefined : journalFile.parse(bytes)
  )
  const write = (journal: Journal) => durable.replaceFile(directory, JOURNAL, journalFile.bytes(journal), 0o600)

  const place = Effect.fnUntraced(function* (record: GenerationRecord) {
    const wanted = contentsOfRecord(record)
    for (const name of fileNames) {
      const found = yield* readThroughLinks(fs, `${directory}/${name}`)
      const file = record.files[name]
      if (file === undefined) yield* fs.remove(`${directory}/${name}`, { force: true })
      else if (!sameFile(found, wanted[name])) {
        const info = yield* fs.stat(`${generations.folder(record.generation)}/${name}`).pipe(orMissing)
        const gid = info?.gid._tag === "Some" ? info.gid.value : undefined
        yield* durable.prepare(directory, name, file.content, { mode: file.mode, gid, lenient: true })
        yield* durable.place(directory, name)
      }
    }
    yield* durable.syncFolder(directory)
    yield* write({ generation: record.generation, done: true })
  })

  /** Completes a committed generation, whatever a crash left. */
  const rollForward = Effect.gen(function* () {
    const journal = yield* read
    if (journal === undefined || journal.done) return
    const record = yield* generations.record(journal.generation)
    if (record !== undefined) yield* place(record)
  })

  /**
   * The three files change one after the other, from the journal's commit on. If one of them cannot be replaced, those
   * that were are put back.
   */
  const commit = Effect.fnUntraced(function* (
    record: GenerationRecord,
    previous: GenerationRecord | undefined,
    gid: number | undefined
  ) {
    const files = fileNames.flatMap((name) => {
      const file = record.files[name]
      return file === undefined ? [] : [{ name, ...file }]
    })
    for (const { name, content, mode } of files) yield* durable.prepare(directory, name, content, { mode, gid })
    const before: Contents = yield* generations.contentsSeen
    yield* write({ generation: record.generation, done: false })
    yield* Effect.forEach(files, ({ name }) => durable.place(directory, name)).pipe(
      Effect.andThen(durable.syncFolder(directory)),
      Effect.tapError(() => Effect.ignore(putBack(previous, before)))
    )
    yield* write({ generation: record.generation, done: true })
  }, Effect.uninterruptible)

  /** Undoes a commit whose renames failed: the previous generation is rolled forward instead. */
  const putBack = Effect.fnUntraced(function* (previous: GenerationRecord | undefined, before: Contents) {
    if (previous !== undefined) {
      yield* write({ generation: previous.generation, done: false })
      return yield* place(previous)
    }
    for (const name of fileNames) {
      if (before[name] === undefined) yield* fs.remove(`${directory}/${name}`, { force: true })
    }
    yield* fs.remove(`${directory}/${JOURNAL}`, { force: true })
    yield* durable.syncFolder(directory)
  })

  return { read, rollForward, commit }
}
