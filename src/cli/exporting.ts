/** Files of entries, one a line: written before what they hold is deleted, read to put it back. */
import { Effect, FileSystem, Option, type PlatformError, type Scope, Stream } from "effect"
import { Flag } from "effect/cli"
import { printableJson } from "../domain/text/printable.ts"
import { lineValue } from "../programs/operator/archive.ts"
import type { FailedEntry } from "../programs/operator/failedEntry.ts"
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import { Misused } from "./operator.ts"
import { counted, printAside } from "./output.ts"
import { progressLine } from "./progress.ts"

export const exportFlag = Flag.String("export").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription("Write them to this new file before anything is deleted"),
  Flag.optional,
  Flag.map(Option.getOrUndefined)
)

const unwritable =
  (file: string) =>
  (error: PlatformError.PlatformError): Misused =>
    new Misused({
      problem:
        error.reason._tag === "AlreadyExists"
          ? `${file}: there is such a file; nothing was written`
          : `${file}: cannot be written (${error.reason._tag}); nothing was changed`
    })

const encoder = new TextEncoder()

/** The new file's writer. What is exported may be personal: only its owner may read it. */
const newFile = (file: string): Effect.Effect<FileSystem.File, Misused, FileSystem.FileSystem | Scope.Scope> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.open(file, { flag: "wx", mode: 0o600 })).pipe(
    Effect.mapError(unwritable(file))
  )

/** Writes entries to a new file and makes sure that they stand on the disk: how many. */
export const exportTo = Effect.fnUntraced(function* (
  file: string,
  entries: Stream.Stream<FailedEntry, EventStreamsError>,
  total: number
): Effect.fn.Return<number, EventStreamsError | Misused, FileSystem.FileSystem | Scope.Scope> {
  const opened = yield* newFile(file)
  const progress = yield* progressLine("exported", total)
  let written = 0
  yield* Stream.runForEach(entries, (entry) =>
    opened.writeAll(encoder.encode(`${printableJson(lineValue(entry))}\n`)).pipe(
      Effect.mapError(unwritable(file)),
      Effect.andThen(
        Effect.suspend(() => {
          written += 1
          return progress.step(written)
        })
      )
    )
  )
  yield* Effect.mapError(opened.sync, unwritable(file))
  yield* progress.end
  return written
}, Effect.scoped)

/** Writes what is about to be deleted, where that is asked for. */
export const exportBefore =
  (file: string | undefined) => (entries: Stream.Stream<FailedEntry, EventStreamsError>, total: number) =>
    file === undefined
      ? Effect.void
      : Effect.flatMap(exportTo(file, entries, total), (written) =>
          printAside(`${counted(written)} written to ${file}`)
        )
