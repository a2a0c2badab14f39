import { Effect, FileSystem, type PlatformError, Result, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import { makeByteLines } from "../../domain/text/byteLines.ts"
import { textOfBytes } from "../../domain/text/escapedBytes.ts"
import { printable } from "../../domain/text/printable.ts"
import { type Line, presentIn, readLine } from "../../programs/operator/archive.ts"
import { actFlags, confirm, events } from "../acting.ts"
import { noteInAudit } from "../audited.ts"
import { json } from "../flags.ts"
import { Misused, operating } from "../operator.ts"
import { counted, plural, printAside, printJson, printLine } from "../output.ts"
import { progressLine } from "../progress.ts"

/** An entry of 1 MiB in JSON that escapes each of its bytes, in JSON again. */
const longestLine = 16 * 1_048_576

const unreadable =
  (file: string) =>
  ({ reason }: PlatformError.PlatformError) =>
    new Misused({ problem: `${file}: cannot be read (${reason._tag})` })

/** Each line of a file, with its number; the first that is none of an export fails. */
const eachLine = <E, R>(
  file: string,
  keys: ReadonlySet<string>,
  use: (line: Line) => Effect.Effect<void, E, R>
): Effect.Effect<void, E | Misused, R | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const lines = makeByteLines(longestLine)
    let number = 0
    const take = (bytes: Uint8Array | undefined): Effect.Effect<void, E | Misused, R> => {
      number += 1
      if (bytes?.length === 0) return Effect.void
      const read = bytes === undefined ? Result.fail("is too long") : readLine(textOfBytes(bytes))
      if (Result.isFailure(read)) return new Misused({ problem: `${file}, line ${number}: ${read.failure}` })
      if (!keys.has(read.success.stream))
        return new Misused({
          problem:
            `${file}, line ${number}: its stream ${printable(read.success.stream)} is none of these settings: ` +
            [...keys].join(", ")
        })
      return use(read.success)
    }
    yield* Stream.runForEach(Stream.mapError(fs.stream(file), unreadable(file)), (piece) =>
      Effect.forEach(lines.push(piece), take, { discard: true })
    )
    yield* Effect.forEach(lines.end(), take, { discard: true })
  })

export const importEntries = Command.make(
  "import",
  {
    file: Argument.String("file").pipe(Argument.withDescription("What `export` or `drop --export` has written")),
    ...actFlags,
    json
  },
  (flags) =>
    operating(
      Effect.fnUntraced(function* (operated) {
        const { sets, streams } = operated
        const { file } = flags
        const keys = sets.flatMap(({ abandoned, dlq }) => [abandoned, dlq])
        const wanted = new Set(keys)
        // All of the file is looked at before anything is added.
        const used = new Set<string>()
        let total = 0
        yield* eachLine(file, wanted, ({ stream }) =>
          Effect.sync(() => {
            used.add(stream)
            total += 1
          })
        )
        const looking = yield* progressLine("looked at", undefined)
        const presentNow = () =>
          presentIn(
            streams,
            keys.filter((key) => used.has(key)),
            looking.step
          )
        const known = yield* presentNow()
        let missing = 0
        yield* eachLine(file, wanted, ({ fields, stream }) =>
          Effect.sync(() => {
            if (!known.take(stream, fields)) missing += 1
          })
        )
        yield* looking.end
        const conclude = (imported: number) =>
          flags.json
            ? printJson({ dry_run: flags.dryRun, imported, present: total - missing })
            : printLine(
                `${flags.dryRun ? "would be: " : ""}${counted(imported)} imported, ${counted(total - missing)} there already`
              )
        if (flags.dryRun || missing === 0) return yield* conclude(missing)
        yield* confirm(flags, `Put ${events(missing)} of ${plural(total, "line")} back?`)
        const present = yield* presentNow()
        const progress = yield* progressLine("imported", missing)
        let done = 0
        const note = () => noteInAudit(operated, flags, { action: "abandoned import", target: file, count: done })
        const add = ({ fields, stream }: Line) =>
          Effect.suspend(() => {
            if (present.take(stream, fields)) return Effect.void
            return Effect.uninterruptible(
              Effect.flatMap(streams.add(stream, fields), () => {
                done += 1
                return progress.step(done)
              })
            )
          })
        const stopped = Effect.suspend(() =>
          Effect.andThen(note(), printAside(`stopped: ${done} imported; run the same command again to continue`))
        )
        yield* Effect.onInterrupt(eachLine(file, wanted, add), () => stopped)
        yield* progress.end
        yield* note()
        yield* conclude(done)
      })
    )
).pipe(
  Command.withDescription(
    "Put exported entries back where they stood, under new ids; what is there already is left alone"
  )
)
