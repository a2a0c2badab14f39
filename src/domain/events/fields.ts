/** Schemas of an event's fields in both forms (contract section 3). A check's message is the rule that it holds. */
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"
import { jsonLimitProblem } from "../json/jsonLimits.ts"
import { nearestDouble, parseLossless } from "../json/losslessJson.ts"
import { type Form, isJsonObject } from "./entry.ts"

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

/** What is known of a field's JSON before it is decoded: part of the published schemas, which may allow more but never less. */
const jsonSchema = (fragment: Readonly<Record<string, unknown>>) => ({ jsonSchema: fragment })

const aString = Schema.String.annotate({ message: "must be a string" })

/** 1 to 128 visible ASCII characters. */
export const EventId = aString.check(
  Schema.isPattern(/^[!-~]{1,128}$/, {
    message: "must be 1 to 128 characters of ! to ~",
    ...jsonSchema({ type: "string", pattern: "^[!-~]{1,128}$" })
  })
)

const characters = (text: string): number => (text.length <= 128 ? text.length : Array.from(text).length)

export const Identifier = aString.check(
  Schema.makeFilter(
    (text: string) => (text.length > 0 && characters(text) <= 128 ? undefined : "must be 1 to 128 characters"),
    jsonSchema({ type: "string", minLength: 1, maxLength: 128 })
  )
)

export const NonEmptyText = aString.check(
  Schema.makeFilter(
    (text: string) => (text.length > 0 ? undefined : "must not be empty"),
    jsonSchema({ type: "string", minLength: 1 })
  )
)

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const NumberIn = (form: Form) =>
  form === "data"
    ? parsed(Schema.Unknown, Schema.Finite, "must be a number", (value) => {
        const number = nearestDouble(value)
        return Number.isFinite(number) ? number : undefined
      })
    : parsed(aString, Schema.Finite, "must be a number in JSON's grammar", (text) =>
        jsonNumber.test(text) ? Number(text) : undefined
      )

const numberText = { type: "string", pattern: jsonNumber.source }

/** Seconds of audio: 0 to 86,400. */
export const AudioSeconds = (form: Form) =>
  NumberIn(form).check(
    Schema.makeFilter(
      (seconds: number) => (seconds >= 0 && seconds <= 86_400 ? undefined : "must be 0 to 86,400 seconds"),
      jsonSchema(form === "flat" ? numberText : { type: "number", minimum: 0, maximum: 86_400 })
    )
  )

export const TokenCount = (form: Form) =>
  NumberIn(form).check(
    Schema.makeFilter(
      (count: number) =>
        Number.isSafeInteger(count) && count >= 0 ? undefined : "must be a safe integer of at least 0",
      jsonSchema(form === "flat" ? numberText : { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
    )
  )

const iso = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:Z|([+-])(\d{2})(?::?(\d{2}))?)$/
const timeRule = "must be an ISO 8601 time with an offset or Z, or integer epoch milliseconds"
const maxTime = 8_640_000_000_000_000

/** A time as `Date.prototype.toISOString` writes it, which is how nearly all come: its digits stand at fixed places. */
export const canonicalTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

const daysIn = (year: number, month: number): number => {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Epoch milliseconds of a time of day in UTC; undefined for a day or a time that does not exist. */
const instant = (year: number, month: number, day: number, hour: number, minute: number, second: number) => {
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  // Date.UTC takes a year below 100 for one of the twentieth century.
  const start = year < 100 ? new Date(0).setUTCFullYear(year, month - 1, day) : Date.UTC(year, month - 1, day)
  return start + ((hour * 60 + minute) * 60 + second) * 1_000
}

/** The number that the digits between two places of a text make. */
const numberAt = (text: string, from: number, to: number): number => {
  let number = 0
  for (let at = from; at < to; at++) number = number * 10 + text.charCodeAt(at) - 48
  return number
}

const parseIso = (text: string): number | undefined => {
  if (canonicalTime.test(text)) {
    const digits = (from: number, to: number) => numberAt(text, from, to)
    const time = instant(digits(0, 4), digits(5, 7), digits(8, 10), digits(11, 13), digits(14, 16), digits(17, 19))
    return time === undefined ? undefined : time + digits(20, 23)
  }
  const match = iso.exec(text)
  if (match === null) return undefined
  const number = (group: number) => Number(match[group] ?? 0)
  const time = instant(number(1), number(2), number(3), number(4), number(5), number(6))
  const [offsetHour, offsetMinute] = [number(9), number(10)]
  if (time === undefined || offsetHour > 23 || offsetMinute > 59) return undefined
  const milliseconds = match[7] === undefined ? 0 : Number(match[7].slice(0, 3).padEnd(3, "0"))
  const offset = (offsetHour * 60 + offsetMinute) * (match[8] === "-" ? -60_000 : 60_000)
  return time + milliseconds - offset
}

const parseEpoch = (time: number): number | undefined =>
  Number.isInteger(time) && Math.abs(time) <= maxTime ? time : undefined

const StringTime = parsed(aString, Schema.Finite, timeRule, (text) =>
  /^-?\d+$/.test(text) ? (jsonNumber.test(text) ? parseEpoch(Number(text)) : undefined) : parseIso(text)
)

// A day that its month does not have is left to the decoder.
const isoText =
  "^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])T(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:[.,]\\d+)?)?" +
  "(?:Z|[+-](?:[01]\\d|2[0-3])(?::?[0-5]\\d)?)$"
const epochText = "^-?(?:0|[1-9]\\d{0,14}|[1-7]\\d{15}|8[0-5]\\d{14}|86[0-3]\\d{13}|8640{13})$"

const timeJson = (form: Form) =>
  jsonSchema({
    anyOf: [
      { type: "string", pattern: isoText },
      form === "flat"
        ? { type: "string", pattern: epochText }
        : { type: "integer", minimum: -maxTime, maximum: maxTime }
    ]
  })

/** A time, decoded to epoch milliseconds. */
export const Time = (form: Form): Schema.Codec<number, unknown> =>
  form === "flat"
    ? (StringTime.annotate(timeJson(form)) as Schema.Codec<number, unknown>)
    : (parsed(Schema.Unknown, Schema.Finite, timeRule, (value) =>
        typeof value === "number" ? parseEpoch(value) : typeof value === "string" ? parseIso(value) : undefined
      ).annotate(timeJson(form)) as Schema.Codec<number, unknown>)

/** A JSON object that an event carries. */
export type JsonObject = Readonly<Record<string, unknown>>

const parseObject = (text: string): JsonObject | undefined => {
  if (jsonLimitProblem(text) !== undefined) return undefined
  try {
    const value = parseLossless(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const jsonText = { type: "string", pattern: "^\\s*\\{[\\s\\S]*\\}\\s*$", contentMediaType: "application/json" }

const limits = "nested at most 64 levels deep and of at most 10,000 members in all"

const AnyObject = Schema.declare(isJsonObject).annotate({ message: "must be a JSON object" })

export const JsonObjectIn = (form: Form): Schema.Codec<JsonObject, unknown> =>
  form === "data"
    ? (AnyObject.annotate(jsonSchema({ type: "object" })) as Schema.Codec<JsonObject, unknown>)
    : (parsed(aString, AnyObject, `must be a JSON object, ${limits}`, parseObject).annotate(
        jsonSchema({ ...jsonText, contentSchema: { type: "object" } })
      ) as Schema.Codec<JsonObject, unknown>)

const resultRule = `must be a non-empty string or a non-empty JSON object, ${limits}`

const checkResult = (value: unknown): string | JsonObject | undefined =>
  typeof value === "string" && value.length > 0
    ? value
    : isJsonObject(value) && Object.keys(value).length > 0
      ? value
      : undefined

const Result = Schema.Unknown as Schema.Codec<string | JsonObject, string | JsonObject>

/** What an AI model answered. A flat one that starts with `{` must parse to an object. */
export const AiResult = (form: Form): Schema.Codec<string | JsonObject, unknown> =>
  form === "data"
    ? (parsed(Schema.Unknown, Result, resultRule, checkResult).annotate(
        jsonSchema({
          anyOf: [
            { type: "string", minLength: 1 },
            { type: "object", minProperties: 1 }
          ]
        })
      ) as Schema.Codec<string | JsonObject, unknown>)
    : (parsed(aString, Result, resultRule, (text) =>
        checkResult(text.startsWith("{") ? parseObject(text) : text)
      ).annotate(jsonSchema({ type: "string", minLength: 1 })) as Schema.Codec<string | JsonObject, unknown>)

/** Hex SHA-256, decoded to lower case. */
export const Sha256Hex = parsed(aString, Schema.String, "must be the hex SHA-256 of the metadata", (text) =>
  /^[0-9a-fA-F]{64}$/.test(text) ? text.toLowerCase() : undefined
).annotate(jsonSchema({ type: "string", pattern: "^[0-9a-fA-F]{64}$" }))
