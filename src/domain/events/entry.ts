/** Entries of Redis streams as they stand there, before anything about them is trusted (contract section 3). */
import { Result, Schema } from "effect"
import { jsonLimitProblem } from "../json/jsonLimits.ts"
import { isLongNumber, parseLossless } from "../json/losslessJson.ts"
import { utf8 } from "../signing/bytes.ts"
import { isCut, readCut } from "../text/cutText.ts"
import { bytesOfText } from "../text/escapedBytes.ts"
import { cut } from "../text/printable.ts"

/** An entry's fields as Redis gives them: name, value, name, value, … */
export type FlatFields = ReadonlyArray<string>

/** How long an entry's names and values are, all together. */
export const charactersOf = (fields: FlatFields): number => {
  let characters = 0
  for (const text of fields) characters += text.length
  return characters
}

/** An event that must never be sent: which field breaks which rule. */
export class InvalidEvent extends Schema.TaggedError<InvalidEvent>()("InvalidEvent", {
  field: Schema.String,
  rule: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.rule}`
  }
}

/** How an entry carries its event: as flat fields, all strings, or as one JSON object in its only field `data`. */
export type Form = "flat" | "data"

export interface EventFields {
  readonly form: Form
  readonly values: Readonly<Record<string, unknown>>
}

const maxFields = 256
const maxBytes = 1_048_576
// What no UTF-8 decodes to: see the escape convention of the Redis service.
const escapedByte = /[\udc80-\udcff]/

export const broken = (field: string, rule: string): InvalidEvent =>
  new InvalidEvent({ field: field === "" ? '""' : field, rule })
const invalid = (field: string, rule: string) => Result.fail(broken(field, rule))

const atMost = "must be at most 1 MiB"
export const onlyOnce = "must not occur twice"

/** What is wrong with a text as such. Nearly every one is well-formed, and that is told without looking at its characters where all are ASCII. */
const problemOf = (text: string): "too long" | "not UTF-8" | undefined => {
  if (text.isWellFormed()) return undefined
  if (isCut(text)) return "too long"
  return escapedByte.test(text) ? "not UTF-8" : undefined
}

const encoder = new TextEncoder()

/** From so many characters on a text is encoded sooner than it is counted. */
const long = 1_024

/** Bytes of a text in UTF-8, counting an escaped byte as the one it stands for. */
const utf8Length = (text: string): number => {
  if (text.length >= long && text.isWellFormed()) return encoder.encode(text).length
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit <= 0xdbff) {
      bytes += 2
      i += 1
    } else if (unit < 0xdc80 || unit > 0xdcff) bytes += 2
  }
  return bytes
}

const isTooLarge = (fields: FlatFields): boolean => {
  let units = 0
  for (const text of fields) units += text.length
  // One to three bytes per UTF-16 unit: only an entry that may be too large is counted byte by byte.
  if (units * 3 <= maxBytes) return false
  if (units > maxBytes) return true
  let bytes = 0
  for (const text of fields) bytes += utf8Length(text)
  return bytes > maxBytes
}

/** Whether a parsed JSON value is an object. */
export const isJsonObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !isLongNumber(value)

/** Whether a value of plain `JSON.parse` holds a number beyond a double's range: it would be sent as `null`. */
const overflows = (value: unknown): boolean => {
  const unseen = [value]
  for (let at = unseen.pop(); at !== undefined; at = unseen.pop()) {
    if (typeof at === "number" && !Number.isFinite(at)) return true
    if (typeof at === "object" && at !== null) for (const member of Object.values(at)) unseen.push(member)
  }
  return false
}

/** The names in the text of a JSON object as they stand there: `JSON.parse` keeps the last of several that are the same. */
const namesIn = (json: string): ReadonlyArray<string> => {
  const names: Array<string> = []
  let depth = 0
  let start = 0
  let end = 0
  for (let i = 0; i < json.length; i++) {
    const char = json[i]
    if (char === '"') {
      start = i
      for (i += 1; json[i] !== '"'; i++) if (json[i] === "\\") i += 1
      end = i + 1
    } else if (char === "{" || char === "[") depth += 1
    else if (char === "}" || char === "]") depth -= 1
    else if (char === ":" && depth === 1) names.push(json.slice(start, end))
  }
  return names
}

/** The first name that the text of a JSON object has twice, given how many names its value has. */
export const repeatedName = (json: string, different: number): string | undefined => {
  const names = namesIn(json)
  if (names.length === different) return undefined
  const seen = new Set<string>()
  for (const name of names) {
    const read: string = JSON.parse(name)
    if (seen.has(read)) return read
    seen.add(read)
  }
  return undefined
}

type ParseJson = (text: string) => unknown

const parseData = (text: string, parse: ParseJson): Result.Result<EventFields, InvalidEvent> => {
  const excess = jsonLimitProblem(text)
  if (excess !== undefined) return invalid("data", excess)
  let parsed: unknown
  try {
    parsed = parse(text)
  } catch {
    return invalid("data", "must be a JSON object, but is not JSON")
  }
  if (!isJsonObject(parsed)) return invalid("data", "must be a JSON object")
  const names = Object.keys(parsed)
  if (names.length > maxFields) return invalid("data", `must have at most ${maxFields} fields`)
  if (names.includes("__proto__")) return invalid("__proto__", "is not allowed as a field name")
  const repeated = repeatedName(text, names.length)
  if (repeated !== undefined) return invalid(repeated, onlyOnce)
  const vast = names.find((name) => overflows(parsed[name]))
  if (vast !== undefined) return invalid(vast, "must not hold a number beyond the range of a double")
  return Result.succeed({ form: "data", values: parsed })
}

/** The fields of an entry by name, or the structural rule that it breaks. Numbers in `data` keep their digits, unless parsed otherwise. */
export const eventFields = (
  fields: FlatFields,
  parse: ParseJson = parseLossless
): Result.Result<EventFields, InvalidEvent> => {
  if (fields.length > 2 * maxFields) return invalid("entry", `must have at most ${maxFields} fields`)
  if (isTooLarge(fields)) return invalid("entry", atMost)
  const values: Record<string, unknown> = {}
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? ""
    const value = fields[i + 1] ?? ""
    const ofName = problemOf(name)
    const ofValue = problemOf(value)
    if (ofName === "too long" || ofValue === "too long") return invalid("entry", atMost)
    if (ofName !== undefined) return invalid("entry", "must have field names in UTF-8")
    if (name === "__proto__") return invalid("__proto__", "is not allowed as a field name")
    if (ofValue !== undefined) return invalid(name, "must be UTF-8")
    if (Object.hasOwn(values, name)) return invalid(name, onlyOnce)
    values[name] = value
  }
  const data = values.data
  if (fields.length === 2 && typeof data === "string") return parseData(data, parse)
  return Result.succeed({ form: "flat", values })
}

/**
 * An entry's fields as one object of strings, for the DLQ and the abandoned stream. A name that occurs again (an
 * invalid event) is kept as `name#2`, so that nothing is lost.
 */
export const fieldsToObject = (fields: FlatFields): Record<string, string> => {
  const seen = new Map<string, string>()
  const times = new Map<string, number>()
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? ""
    let unique = name
    // From where the last of this name was: from 2 on each time would be quadratic.
    for (let n = (times.get(name) ?? 1) + 1; seen.has(unique); n++) {
      unique = `${name}#${n}`
      times.set(name, n)
    }
    seen.set(unique, fields[i + 1] ?? "")
  }
  return Object.fromEntries(seen)
}

/** What an entry that is not kept whole was. */
export interface Truncated {
  /** Of all names and values. */
  readonly bytes: number
  /** Hex, over the names and values one after the other; of a value that is too long to be read, over its own hash in hex. */
  readonly sha256: string
}

/** More fields than this take too long to be made an object of. */
const mostWhole = 4_096
const keptBytes = 4_096

/** The first bytes of a text that make whole characters. */
const firstBytes = (text: string): string => {
  let kept = text.slice(0, keptBytes)
  for (let over = utf8Length(kept) - keptBytes; over > 0; over = utf8Length(kept) - keptBytes) {
    kept = kept.slice(0, -Math.ceil(over / 3))
  }
  return kept.length < text.length && /[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept
}

/**
 * What is kept of an event that is given up: all of it, or of one too large the first 4 KiB of each field, and of those as
 * many as a valid event may have.
 */
export const keptFields = (fields: FlatFields): FlatFields =>
  fields.length <= 2 * mostWhole && !isTooLarge(fields) && !fields.some(isCut)
    ? fields
    : fields.slice(0, 2 * maxFields).map((text) => firstBytes(readCut(text)?.start ?? text))

/** So many characters make a piece, or a few more. */
const pieceLength = 262_144

/**
 * The names and values of an event one after the other, in pieces: how many bytes each has, and what is hashed of it. Of a text
 * that was cut when it was read that is its own hash, in hex.
 */
export function* piecesOf(
  fields: FlatFields
): Generator<{ readonly bytes: number; readonly hashed: Uint8Array }, void, undefined> {
  let short = ""
  const ofShort = () => {
    const hashed = bytesOfText(short)
    short = ""
    return { bytes: hashed.length, hashed }
  }
  for (const text of fields) {
    const cut = readCut(text)
    if (cut === undefined && text.length < pieceLength) short += text
    if (short !== "" && (short.length >= pieceLength || cut !== undefined || text.length >= pieceLength))
      yield ofShort()
    if (cut !== undefined) yield { bytes: cut.bytes, hashed: utf8(cut.sha256) }
    else if (text.length >= pieceLength) {
      for (let at = 0; at < text.length; ) {
        // Never half a pair of surrogates.
        const last = text.charCodeAt(at + pieceLength - 1)
        const end = at + pieceLength + (last >= 0xd800 && last <= 0xdbff ? 1 : 0)
        const hashed = bytesOfText(text.slice(at, end))
        yield { bytes: hashed.length, hashed }
        at = end
      }
    }
  }
  if (short !== "") yield ofShort()
}

/** The inverse of {@link fieldsToObject}, of fields whose names all differ. */
export const objectToFields = (event: Readonly<Record<string, string>>): FlatFields => Object.entries(event).flat()

/**
 * The inverse of {@link fieldsToObject} for an event that was found to be invalid. Where that was for a name that occurs
 * again, `name#2` is that name: under another it would be an attribute, and the event valid. (So is a field that was
 * called `name#2` from the start: which of the two it was nobody knows, and the event is invalid with either.)
 */
export const invalidToFields = (event: Readonly<Record<string, string>>, isSaid: (message: string) => boolean) => {
  const repeated = Object.keys(event).find(
    (name) => Object.hasOwn(event, `${name}#2`) && isSaid(broken(name, onlyOnce).message)
  )
  if (repeated === undefined) return objectToFields(event)
  let times = 1
  return Object.entries(event).flatMap(([name, value]) => {
    const isAgain = name === `${repeated}#${times + 1}`
    if (isAgain) times += 1
    return [isAgain ? repeated : name, value]
  })
}

/** The event id an entry claims, whatever else is wrong with the entry; undefined if none can be found. */
export const eventIdOf = (fields: FlatFields): string | undefined => {
  const decoded = eventFields(fields)
  const id = Result.isSuccess(decoded) ? decoded.success.values.event_id : flatValue(fields, "event_id")
  return typeof id === "string" ? id : undefined
}

const flatValue = (fields: FlatFields, name: string): string | undefined => {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}

/** The longest event id there may be, and the most that is shown of one. */
const maxEventId = 128

/** An event id as it is logged and shown. */
export const shownEventId = (id: string): string => cut(id, maxEventId)

/** The event id an entry claims, for logs. */
export const claimedEventId = (fields: FlatFields): string | undefined => {
  const id = eventIdOf(fields)
  return id === undefined ? undefined : shownEventId(id)
}
