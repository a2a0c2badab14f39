/** Schemas of an event's fields in both forms (contract section 3). A check's message is the rule that it holds. */
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"
import type { Form } from "./entry.ts"

const rule = (message: string) => new SchemaIssue.InvalidValue({ message })

/** A decoding-only step from a plain schema: undefined means the rule is broken. */
const parsed = <A, I>(
  from: Schema.Codec<I, I>,
  to: Schema.Codec<A, A>,
  message: string,
  parse: (input: I) => A | undefined
) =>
  from.pipe(
    Schema.decodeTo(to, {
      decode: SchemaGetter.transformEffect((input: I) => {
        const value = parse(input)
        return value === undefined ? Effect.fail(rule(message)) : Effect.succeed(value)
      }),
      encode: SchemaGetter.forbidden(() => "events are only decoded")
    })
  )

const aString = Schema.String.annotate({ message: "must be a string" })

/** 1 to 128 visible ASCII characters. */
export const EventId = aString.check(
  Schema.isPattern(/^[!-~]{1,128}$/, { message: "must be 1 to 128 characters of ! to ~" })
)

const characters = (text: string): number => (text.length <= 128 ? text.length : Array.from(text).length)

export const Identifier = aString.check(
  Schema.makeFilter((text: string) =>
    text.length > 0 && characters(text) <= 128 ? undefined : "must be 1 to 128 characters"
  )
)

export const NonEmptyText = aString.check(
  Schema.makeFilter((text: string) => (text.length > 0 ? undefined : "must not be empty"))
)

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const NumberIn = (form: Form) =>
  form === "data"
    ? parsed(Schema.Unknown, Schema.Finite, "must be a number", (value) =>
        typeof value === "number" && Number.isFinite(value) ? value : undefined
      )
    : parsed(aString, Schema.Finite, "must be a number in JSON's grammar", (text) =>
        jsonNumber.test(text) ? Number(text) : undefined
      )

/** Seconds of audio: 0 to 86,400. */
export const AudioSeconds = (form: Form) =>
  NumberIn(form).check(
    Schema.makeFilter((seconds: number) =>
      seconds >= 0 && seconds <= 86_400 ? undefined : "must be 0 to 86,400 seconds"
    )
  )

export const TokenCount = (form: Form) =>
  NumberIn(form).check(
    Schema.makeFilter((count: number) =>
      Number.isSafeInteger(count) && count >= 0 ? undefined : "must be a safe integer of at least 0"
    )
  )

const iso = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:Z|([+-])(\d{2})(?::?(\d{2}))?)$/
const timeRule = "must be an ISO 8601 time with an offset or Z, or integer epoch milliseconds"
const maxTime = 8_640_000_000_000_000

/** Epoch milliseconds of a day's begin; undefined for a day that does not exist. */
const dayStart = (year: number, month: number, day: number): number | undefined => {
  // Date.UTC takes a year below 100 for one of the twentieth century.
  const time = year < 100 ? new Date(0).setUTCFullYear(year, month - 1, day) : Date.UTC(year, month - 1, day)
  const date = new Date(time)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? time : undefined
}

const parseIso = (text: string): number | undefined => {
  const match = iso.exec(text)
  if (match === null) return undefined
  const day = dayStart(Number(match[1]), Number(match[2]), Number(match[3]))
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6] ?? 0)]
  const [offsetHour, offsetMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)]
  if (day === undefined || hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) {
    return undefined
  }
  const milliseconds = match[7] === undefined ? 0 : Number(match[7].slice(0, 3).padEnd(3, "0"))
  const offset = (offsetHour * 60 + offsetMinute) * (match[8] === "-" ? -60_000 : 60_000)
  return day + ((hour * 60 + minute) * 60 + second) * 1_000 + milliseconds - offset
}

const parseEpoch = (time: number): number | undefined =>
  Number.isInteger(time) && Math.abs(time) <= maxTime ? time : undefined

const StringTime = parsed(aString, Schema.Finite, timeRule, (text) =>
  /^-?\d+$/.test(text) ? (jsonNumber.test(text) ? parseEpoch(Number(text)) : undefined) : parseIso(text)
)

/** A time, decoded to epoch milliseconds. */
export const Time = (form: Form): Schema.Codec<number, unknown> =>
  form === "flat"
    ? (StringTime as Schema.Codec<number, unknown>)
    : (parsed(Schema.Unknown, Schema.Finite, timeRule, (value) =>
        typeof value === "number" ? parseEpoch(value) : typeof value === "string" ? parseIso(value) : undefined
      ) as Schema.Codec<number, unknown>)

/** A JSON object that an event carries. */
export type JsonObject = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parseObject = (text: string): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const AnyObject = Schema.declare(isObject).annotate({ message: "must be a JSON object" })

export const JsonObjectIn = (form: Form): Schema.Codec<JsonObject, unknown> =>
  form === "data"
    ? (AnyObject as Schema.Codec<JsonObject, unknown>)
    : (parsed(aString, AnyObject, "must be a JSON object", parseObject) as Schema.Codec<JsonObject, unknown>)

const resultRule = "must be a non-empty string or a non-empty JSON object"

const checkResult = (value: unknown): string | JsonObject | undefined =>
  typeof value === "string" && value.length > 0
    ? value
    : isObject(value) && Object.keys(value).length > 0
      ? value
      : undefined

const Result = Schema.Unknown as Schema.Codec<string | JsonObject, string | JsonObject>

/** What an AI model answered. A flat one that starts with `{` must parse to an object. */
export const AiResult = (form: Form): Schema.Codec<string | JsonObject, unknown> =>
  form === "data"
    ? (parsed(Schema.Unknown, Result, resultRule, checkResult) as Schema.Codec<string | JsonObject, unknown>)
    : (parsed(aString, Result, resultRule, (text) =>
        checkResult(text.startsWith("{") ? parseObject(text) : text)
      ) as Schema.Codec<string | JsonObject, unknown>)

/** Hex SHA-256, decoded to lower case. */
export const Sha256Hex = parsed(aString, Schema.String, "must be the hex SHA-256 of the metadata", (text) =>
  /^[0-9a-fA-F]{64}$/.test(text) ? text.toLowerCase() : undefined
)
