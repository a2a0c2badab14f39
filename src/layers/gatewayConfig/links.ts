/** How a generation becomes the installed one where links can be made: one rename of the link `current`. */
import { Effect, type FileSystem, Option, Result } from "effect"
import { bundleOfFiles, type Contents, type FileName, fileNames, sameFile } from "../../domain/gatewayConfig/files.ts"
import type { GenerationRecord } from "../../domain/gatewayConfig/state.ts"
import { type Durable, type FileAttributes, orMissing } from "./durable.ts"
import type { Generations } from "./generations.ts"
import { codeOf } from "./storeFailure.ts"

export const CURRENT = "current"
const PROBE = ".probe.tmp"

export const linkOfName = (name: FileName): string => `${CURRENT}/${name}`

/** The generation a link `current` names. */
export const generationOfLink = (target: string): number | undefined => {
  const number = /^generations\/(0|[1-9][0-9]*)$/.exec(target)?.[1]
  return number === undefined ? undefined : Number(number)
}

/** The link a path is, undefined where it is no link or not there. */
export const readLinkOf = (fs: FileSystem.FileSystem, path: string) =>
  fs.readLink(path).pipe(
    Effect.catchIf(
      (error) => codeOf(error) === "EINVAL",
      () => Effect.undefined
    ),
    orMissing
  )

export const makeLinks = (fs: FileSystem.FileSystem, durable: Durable, generations: Generations, directory: string) => {
  /** Whether this folder takes links; any other reason that one cannot be made is an error. */
  const possible = fs.remove(`${directory}/${PROBE}`, { force: true }).pipe(
    Effect.andThen(fs.symlink("nowhere", `${directory}/${PROBE}`)),
    Effect.andThen(fs.remove(`${directory}/${PROBE}`, { force: true })),
    Effect.as(true),
    Effect.catchIf(
      (error) => ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(codeOf(error) ?? ""),
      () => Effect.succeed(false)
    )
  )

  /** The commit point. */
  const commit = (generation: number) =>
    durable
      .replaceLink(directory, CURRENT, `generations/${generation}`)
      .pipe(Effect.andThen(durable.syncFolder(directory)), Effect.uninterruptible)

  /** Mode, owner and group of the files a reader of the stable names finds. */
  const attributesFound = Effect.map(
    Effect.forEach(fileNames, (name) => orMissing(fs.stat(`${directory}/${name}`))),
    (infos) =>
      (name: FileName): FileAttributes => {
        const info = infos[fileNames.indexOf(name)]
        return info === undefined
          ? { mode: 0o600 }
          : {
              mode: info.mode & 0o777,
              uid: Option.getOrUndefined(info.uid),
              gid: Option.getOrUndefined(info.gid),
              lenient: true
            }
      }
  )

  const adoptedHead = (generation: number, now: number, visible: Contents) => ({
    generation,
    version: Result.getOrUndefined(bundleOfFiles(visible))?.version ?? null,
    etag: null,
    installedAt: now,
    reason: "adopted" as const,
    parent: null
  })

  /** Keeps the files found at first as a generation, where there are any; returns its number. */
  const adopt = Effect.fnUntraced(function* (number: number, now: number) {
    const visible = yield* generations.contentsSeen
    if (fileNames.every((name) => visible[name] === undefined)) return undefined
    yield* generations.stage(adoptedHead(number, now, visible), visible, yield* attributesFound, { check: false })
    return number
  })

  /**
   * Makes the three stable names links through `current`, without changing for an instant what a reader of them sees:
   * if something else stands there, what is seen is made the current generation first. At the very first install that
   * is generation 0; later it is a copy of what was edited, under the record of what it should be, so that a crash in
   * between is still seen as drift.
   */
  const secureNames = Effect.fnUntraced(function* (
    current: { readonly generation: number; readonly record: GenerationRecord | undefined } | undefined,
    nextNumber: number,
    now: number
  ) {
    const targets = yield* Effect.forEach(fileNames, (name) => readLinkOf(fs, `${directory}/${name}`))
    const astray = fileNames.filter((name, at) => targets[at] !== linkOfName(name))
    if (astray.length === 0) return
    if (current === undefined) {
      const adopted = yield* adopt(nextNumber, now)
      if (adopted !== undefined) yield* commit(adopted)
    } else {
      const visible = yield* generations.contentsSeen
      const behind = yield* generations.contents(current.generation)
      if (fileNames.some((name) => !sameFile(visible[name], behind[name]))) {
        const { record } = current
        yield* generations.stage(
          record === undefined ? adoptedHead(nextNumber, now, visible) : { ...record, generation: nextNumber },
          visible,
          yield* attributesFound,
          { check: false, recorded: record?.files }
        )
        yield* commit(nextNumber)
      }
    }
    for (const name of astray) yield* durable.replaceLink(directory, name, linkOfName(name))
    yield* durable.syncFolder(directory)
  })

  return { possible, commit, secureNames, adopt }
}
