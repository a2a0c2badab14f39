/**
 * An entry of the DLQ or of the abandoned stream as an operator looks at it, whatever stands in it. What it says is read when
 * it is asked for, and without a schema: a hundred thousand of them are looked through in a second or two.
 */

import { Result } from "effect"
import { type EventFields, eventFields, type FlatFields, objectToFields } from "../../domain/events/entry.ts"
import { jsonLimitProblem } from "../../domain/json/jsonLimits.ts"
import type { StreamEntry } from "../../services/EventStreams.ts"

/** Where failed events lie: those that wait for a retry, and those that were given up. */
export type Place = "dlq" | "abandoned"

/** What is said of an event's failure, in either place. */
export interface Said {
  /** Why it was abandoned; of the DLQ `failed`, or why it was set aside. */
  readonly reason: string
  readonly attempts: number
  readonly originStream: string
  readonly originId: string
  /** Epoch milliseconds, as all times here. */
  readonly firstFailedAt: number
  /** When it was abandoned, or last failed. */
  readonly failedAt: number
  readonly errorCode: string
  readonly errorMessage: string
  /** When the next attempt is due; only of the DLQ. */
  readonly notBefore: number | undefined
}

/** JSON of this length takes no time to parse that is felt, however it is nested. */
const short = 65_536

const objectIn = (json: string | undefined): Readonly<Record<string, unknown>> | undefined => {
  if (json === undefined || (json.length > short && jsonLimitProblem(json) !== undefined)) return undefined
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

const isText = (value: unknown): value is string => typeof value === "string"
const isTime = (value: unknown): value is number => Number.isSafeInteger(value)

const saidIn = (place: Place, json: string | undefined): Said | undefined => {
  // What is said of an event is short.
  if (json === undefined || json.length > short) return undefined
  const it = objectIn(json)
  if (it === undefined) return undefined
  const attempts = place === "dlq" ? it.attempt : it.attempts
  const failedAt = place === "dlq" ? it.last_failed_at : it.abandoned_at
  const reason = place === "dlq" ? (it.set_aside ?? "failed") : it.reason
  const {
    error_code: errorCode,
    error_message: errorMessage,
    first_failed_at: firstFailedAt,
    not_before: notBefore,
    origin_id: originId,
    origin_stream: originStream
  } = it
  if (!isText(reason) || !isText(errorCode) || !isText(errorMessage) || !isText(originId) || !isText(originStream))
    return undefined
  if (!isTime(attempts) || !isTime(failedAt) || !isTime(firstFailedAt)) return undefined
  if (place === "dlq" && !isTime(notBefore)) return undefined
  return {
    reason,
    attempts,
    originStream,
    originId,
    firstFailedAt,
    failedAt,
    errorCode,
    errorMessage,
    notBefore: isTime(notBefore) ? notBefore : undefined
  }
}

const textOf = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value))

/** A value computed once, when it is first asked for. */
class Once<A> {
  private readonly compute: () => A
  private made: { readonly value: A } | undefined

  constructor(compute: () => A) {
    this.compute = compute
  }

  get value(): A {
    this.made ??= { value: this.compute() }
    return this.made.value
  }
}

export class FailedEntry {
  readonly place: Place
  readonly stream: string
  readonly id: string
  readonly fields: FlatFields
  private readonly onceSaid: Once<Said | undefined>
  private readonly onceEvent: Once<FlatFields | undefined>
  private readonly onceValues: Once<EventFields["values"]>

  constructor(place: Place, stream: string, { fields, id }: StreamEntry) {
    this.place = place
    this.stream = stream
    this.id = id
    this.fields = fields
    this.onceSaid = new Once(() => saidIn(place, this.fieldOf(place === "dlq" ? "retry" : "abandoned")))
    this.onceEvent = new Once(() => {
      const event = objectIn(this.fieldOf("event"))
      if (event === undefined) return undefined
      const texts = Object.entries(event).filter((field): field is [string, string] => isText(field[1]))
      return objectToFields(Object.fromEntries(texts))
    })
    this.onceValues = new Once(() => {
      const flat = this.event
      if (flat === undefined) return {}
      const decoded = eventFields(flat, JSON.parse)
      if (Result.isSuccess(decoded)) return decoded.success.values
      const values: Record<string, unknown> = Object.create(null)
      for (let at = 0; at + 1 < flat.length; at += 2) values[flat[at] ?? ""] = flat[at + 1]
      return values
    })
  }

  private fieldOf(name: string): string | undefined {
    const { fields } = this
    for (let at = 0; at + 1 < fields.length; at += 2) if (fields[at] === name) return fields[at + 1]
    return undefined
  }

  /** Undefined where it does not decode. */
  get said(): Said | undefined {
    return this.onceSaid.value
  }

  /** The event's fields; undefined where they do not decode. */
  get event(): FlatFields | undefined {
    return this.onceEvent.value
  }

  /** The names of the event's fields, as it was sent: those of its JSON where that is what it carries. */
  get fieldNames(): ReadonlyArray<string> {
    return Object.keys(this.onceValues.value)
  }

  /** A field of the event as text. */
  value(name: string): string | undefined {
    const { value: values } = this.onceValues
    return Object.hasOwn(values, name) ? textOf(values[name]) : undefined
  }

  get eventId(): string | undefined {
    return this.value("event_id")
  }
}
