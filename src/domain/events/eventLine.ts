/** An event as one line of JSON, before a producer adds it to its stream (contract section 3). */
import { Effect, Result } from "effect"
import { broken, type FlatFields, type InvalidEvent, isJsonObject, onlyOnce, repeatedName } from "./entry.ts"
import type { EventKind, Prepared, ReadContext, SyncKind } from "./eventKind.ts"
import type { HostKinds } from "./hostKinds.ts"
import { process, transcribe } from "./jobEvent.ts"

const kindsOf = ({ builtInKinds, kinds }: HostKinds): ReadonlyArray<EventKind> => [
  ...(builtInKinds ? [transcribe, process] : []),
  ...kinds
]

export const kindNamesOf = (known: HostKinds): ReadonlyArray<string> => kindsOf(known).map(({ name }) => name)

const ofProcess = ["result", "prompt_tokens", "completion_tokens", "total_tokens"]

/** The kind that an event's own fields speak for, where they do not speak for both. */
const kindOf = (names: ReadonlySet<string>): SyncKind | undefined => {
  const isProcess = ofProcess.some((name) => names.has(name))
  if (names.has("audio_seconds") === isProcess) return undefined
  return isProcess ? process : transcribe
}

interface ReadLine {
  readonly fields: FlatFields
  readonly names: ReadonlySet<string>
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const inData = (json: string, value: unknown): ReadLine => ({
  fields: ["data", json],
  names: new Set(isJsonObject(value) ? Object.keys(value) : [])
})

/** An object whose values are all strings is an entry's flat fields; any other is the JSON of the field `data`. */
const readLine = (line: string): Result.Result<ReadLine, InvalidEvent> => {
  const value = parsed(line)
  const entries = isJsonObject(value) ? Object.entries(value) : []
  const isFlat = entries.every((entry): entry is [string, string] => typeof entry[1] === "string")
  if (!isFlat || entries.length === 0) return Result.succeed(inData(line, value))
  const repeated = repeatedName(line, entries.length)
  if (repeated !== undefined) return Result.fail(broken(repeated, onlyOnce))
  const [[name, json] = ["", ""]] = entries
  if (entries.length === 1 && name === "data") return Result.succeed(inData(json, parsed(json)))
  return Result.succeed({ fields: entries.flat(), names: new Set(entries.map(([field]) => field)) })
}

/** The event's id; undefined where it takes an effect to know it. That no request can be made is told as a broken rule. */
const idOf = (prepared: Prepared | Effect.Effect<Prepared>): Result.Result<string | undefined, InvalidEvent> => {
  if (Effect.isEffect(prepared)) return Result.succeed(undefined)
  if (Result.isSuccess(prepared)) return Result.succeed(prepared.success.eventId)
  const { failure } = prepared
  return Result.fail(
    failure._tag === "RequestUnmade" ? broken("entry", `must make a request: ${failure.message}`) : failure
  )
}

/**
 * The id of the event that a line of JSON is, or the first rule that it breaks, told by the very code that reads the streams.
 * The kind is that of its stream; where it is not given, the only one there is, or the one that the event's own fields tell.
 */
export const checkEventLine = (
  line: string,
  kind: string | undefined,
  context: Omit<ReadContext, "source">,
  known: HostKinds
): Result.Result<string | undefined, InvalidEvent> =>
  Result.flatMap(readLine(line), ({ fields, names }) => {
    const all = kindsOf(known)
    const source = { stream: "", id: `${context.now}-0` }
    const given = kind === undefined && all.length === 1 ? all[0] : all.find(({ name }) => name === kind)
    if (given !== undefined) return idOf(given.prepare(fields, { ...context, source }))
    if (!known.builtInKinds)
      return Result.fail(broken("entry", `must be given its --kind: ${kindNamesOf(known).join(", ")}`))
    const told = kindOf(names)
    const read = (told ?? transcribe).prepare(fields, { ...context, source })
    if (told === undefined && (Result.isSuccess(read) || !["data", "entry"].includes(read.failure.field))) {
      return Result.fail(broken("entry", "must have either audio_seconds (transcribe) or result and tokens (process)"))
    }
    return idOf(read)
  })
