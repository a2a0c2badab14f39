/** An event as one line of JSON, before a producer adds it to its stream (contract section 3). */
import { Result } from "effect"
import { broken, type FlatFields, type InvalidEvent, isJsonObject, onlyOnce, repeatedName } from "./entry.ts"
import type { ReadContext, SyncKind } from "./eventKind.ts"
import { process, transcribe } from "./jobEvent.ts"

const kinds = { transcribe, process }

export const kindNames = ["transcribe", "process"] as const
export type KindName = (typeof kindNames)[number]

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

/**
 * The id of the event that a line of JSON is, or the first rule that it breaks, told by the very code that reads the streams.
 * The kind is that of its stream; where it is not given, the event's own fields tell it.
 */
export const checkEventLine = (
  line: string,
  kind: KindName | undefined,
  context: Omit<ReadContext, "source">
): Result.Result<string, InvalidEvent> =>
  Result.flatMap(readLine(line), ({ fields, names }) => {
    const chosen = kind === undefined ? kindOf(names) : kinds[kind]
    const source = { stream: "", id: `${context.now}-0` }
    const read = (chosen ?? transcribe).prepare(fields, { ...context, source })
    if (chosen === undefined && (Result.isSuccess(read) || !["data", "entry"].includes(read.failure.field))) {
      return Result.fail(broken("entry", "must have either audio_seconds (transcribe) or result and tokens (process)"))
    }
    return Result.map(read, ({ eventId }) => eventId)
  })
