/** `job-collector lint [file]`: a producer's events, checked before they are sent (contract section 1). */
import { sha256 } from "@noble/hashes/sha2.js"
import { Clock, Duration, Effect, FileSystem, Option, type PlatformError, Result, Schema, Stdio, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { onlyOnce } from "../domain/events/entry.ts"
import { checkEventLine, kindNamesOf } from "../domain/events/eventLine.ts"
import type { HostKinds } from "../domain/events/hostKinds.ts"
import { makeByteLines } from "../domain/text/byteLines.ts"
import { textOfBytes } from "../domain/text/escapedBytes.ts"
import * as Environment from "../layers/settings/Environment.ts"
import { json } from "./flags.ts"
import { Misused } from "./operator.ts"
import { plural, printAside, printJson, printLine } from "./output.ts"

/** Every line of it was shown. */
class EventsInvalid extends Schema.TaggedError<EventsInvalid>()("EventsInvalid", {
  events: Schema.Int,
  invalid: Schema.Int
}) {
  override get message(): string {
    return `${plural(this.events, "event")}, ${plural(this.invalid, "is", "are")} invalid`
  }
}

/** An event of 1 MiB in JSON that escapes each of its bytes. */
const longestLine = 6 * 1_048_576 + 4_096

/** So many ids are remembered, to find one that comes again. */
const rememberedIds = 1_000_000

const makeSeen = () => {
  const ids = new Set<string>()
  return (id: string): boolean => {
    if (ids.has(id)) return true
    if (ids.size === rememberedIds) for (const oldest of ids) if (ids.delete(oldest)) break
    ids.add(id)
    return false
  }
}

const isBlank = (line: Uint8Array): boolean => line.every((byte) => byte === 32 || byte === 13 || byte === 9)

const unreadable = (file: string) => (error: PlatformError.PlatformError) =>
  new Misused({ problem: `${file}: cannot be read (${error.reason._tag})` })

/** For the kinds that a command line knows: of a host app's own, what their schemas and the rules for all events say. */
export const makeLint = (known: HostKinds) =>
  Command.make(
    "lint",
    {
      file: Argument.String("file").pipe(
        Argument.withDescription("A file of events, one JSON object a line; - or nothing for standard input"),
        Argument.withDefault("-")
      ),
      kind: Flag.Literals("kind", kindNamesOf(known)).pipe(
        Flag.withDescription("The kind of all events; by default each event's own fields tell it"),
        Flag.optional,
        Flag.map(Option.getOrUndefined)
      ),
      anyTime: Flag.Boolean("any-time").pipe(
        Flag.withDescription("Accept events of any time, such as those of an archive"),
        Flag.withDefault(false)
      ),
      json
    },
    Effect.fn("lint")(function* ({ anyTime, file, json: asJson, kind }) {
      const { settings } = yield* Environment.load(Environment.eventTimes)
      const context = {
        now: yield* Clock.currentTimeMillis,
        firstReading: !anyTime,
        maxAgeMs: Duration.toMillis(settings.eventMaxAge),
        maxSkewMs: Duration.toMillis(settings.eventMaxSkew),
        partedBy: [],
        sha256
      }
      const fs = yield* FileSystem.FileSystem
      const { stdin } = yield* Stdio.Stdio
      const wasSeen = makeSeen()
      let number = 0
      let events = 0
      let invalid = 0

      const report = (field: string, rule: string): Effect.Effect<void> => {
        invalid += 1
        return asJson ? printJson({ line: number, field, rule }) : printLine(`line ${number}: ${field}: ${rule}`)
      }
      const check = (line: Uint8Array | undefined): Effect.Effect<void> => {
        number += 1
        if (line !== undefined && isBlank(line)) return Effect.void
        events += 1
        if (line === undefined) return report("entry", "must be at most 1 MiB")
        const checked = checkEventLine(textOfBytes(line), kind, context, known)
        if (Result.isFailure(checked)) return report(checked.failure.field, checked.failure.rule)
        return checked.success !== undefined && wasSeen(checked.success)
          ? report("event_id", `${onlyOnce}: an event before has it`)
          : Effect.void
      }
      const checkAll = (lines: ReadonlyArray<Uint8Array | undefined>) => Effect.forEach(lines, check, { discard: true })

      const lines = makeByteLines(longestLine)
      const bytes = file === "-" ? stdin : fs.stream(file)
      yield* Stream.runForEach(bytes, (piece) => checkAll(lines.push(piece))).pipe(
        Effect.mapError(unreadable(file === "-" ? "standard input" : file))
      )
      yield* checkAll(lines.end())
      if (invalid > 0) return yield* new EventsInvalid({ events, invalid })
      yield* printAside(`${plural(events, "event")}, all valid`)
    })
  )
