/** The API under test: events that no one else's are mistaken for, requests that depart from good ones in one thing. */
import { Clock, Data, type Duration, Effect } from "effect"
import * as Hex from "effect/encoding/Hex"
import { attemptResult } from "../../domain/delivery/answer.ts"
import type { Accepted, AttemptResult } from "../../domain/delivery/attempt.ts"
import { instant } from "../../domain/events/instant.ts"
import { utf8 } from "../../domain/signing/bytes.ts"
import { authorizationHeader, signingString } from "../../domain/signing/signature.ts"
import type { ApiWire, WireAnswer, WireRequest } from "../../services/ApiWire.ts"
import type { Signer } from "../../services/Signer.ts"

/** A rule that does not hold, and what was seen instead. */
export class Broken extends Data.TaggedError("Broken")<{ readonly seen: string }> {}

export const broken = (seen: string) => Effect.fail(new Broken({ seen }))

/** Events as they stand in a request's body. */
export type EventBody = Readonly<Record<string, unknown>> & { readonly event_id: string }

/** What differs from a good request. */
export interface Departures {
  readonly signer?: Signer["Service"]
  /** Seconds to add to the time that is signed. */
  readonly skew?: number
  /** Signed instead of the bytes that are sent. */
  readonly signedBody?: Uint8Array
  /** Signed instead of the service id that is sent. */
  readonly signedServiceId?: string
  readonly authorization?: (timestamp: number, signature: string) => string
  /** Over the good ones; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly attempt?: number
  readonly slowly?: WireRequest["slowly"]
}

export interface Options {
  readonly wire: ApiWire["Service"]
  /** Whose requests the API takes. */
  readonly signer: Signer["Service"]
  /** A key that the API does not know. */
  readonly stranger: Signer["Service"]
  readonly serviceId: string
  /** Who is charged. */
  readonly userId: string
  /** Of the process event. */
  readonly model: string
  /** How every event id begins. */
  readonly prefix: string
  /** How long a slow client takes. */
  readonly slowness: Duration.Duration
}

/** What came of a delivery. */
interface Delivered {
  readonly answer: WireAnswer
  readonly result: AttemptResult
}

const nothing = new Uint8Array(0)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** An answer in a few words. */
export const shown = (answer: WireAnswer): string => {
  const result = attemptResult({ status: answer.status, body: text(answer.body), retryAfterMs: undefined })
  return result._tag === "Accepted"
    ? `it answered ${answer.status} with job ${result.jobId}`
    : `it answered ${answer.status} (${result.errorMessage})`
}

export const make = (options: Options) => {
  const { prefix, serviceId, signer, userId, wire } = options
  const answers: Array<WireAnswer> = []
  const jobs = new Map<string, Accepted>()
  let clockOffset: number | undefined

  /** An event of its own for each label. */
  const event = Effect.fnUntraced(function* (label: string, more: Readonly<Record<string, unknown>> = {}) {
    const now = yield* Clock.currentTimeMillis
    const body: EventBody = {
      event_id: `${prefix}${label}`,
      event_type: "transcribe",
      source: { stream: `${prefix}stream`, id: `${now}-0` },
      user_id: userId,
      device_id: `${prefix}device`,
      session_id: `${prefix}session`,
      started_at: instant(now - 60_000),
      completed_at: instant(now),
      audio_seconds: 1,
      attributes: {},
      ...more
    }
    return body
  })

  const authorize = Effect.fnUntraced(function* (body: Uint8Array, departures: Departures) {
    const timestamp = Math.floor((yield* Clock.currentTimeMillis) / 1_000) + (departures.skew ?? 0)
    const digest = Hex.encode(signer.sha256(departures.signedBody ?? body))
    const message = utf8(signingString(timestamp, digest, departures.signedServiceId ?? serviceId))
    const value = authorizationHeader(timestamp, yield* (departures.signer ?? signer).sign(message))
    return departures.authorization?.(timestamp, value.slice(value.indexOf(":") + 1)) ?? value
  })

  const send = Effect.fnUntraced(function* (
    request: Pick<WireRequest, "method" | "path" | "body">,
    headers: Readonly<Record<string, string | undefined>>,
    departures: Departures
  ) {
    const all: Readonly<Record<string, string | undefined>> = {
      authorization: yield* authorize(request.body, departures),
      "x-service-id": serviceId,
      "accept-encoding": "identity",
      ...headers,
      ...departures.headers
    }
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
    const sent = { ...request, headers: Object.fromEntries(given), slowly: departures.slowly }
    const answer = yield* wire.send(sent)
    answers.push(answer)
    const date = Date.parse(answer.headers.date ?? "")
    if (!Number.isNaN(date)) clockOffset = Math.round((date - (yield* Clock.currentTimeMillis)) / 1_000)
    return answer
  })

  /** Sends bytes as the delivery of an event. */
  const postBytes = Effect.fnUntraced(function* (eventId: string, body: Uint8Array, departures: Departures = {}) {
    const headers = {
      "content-type": "application/json",
      "idempotency-key": eventId,
      "x-delivery-attempt": `${departures.attempt ?? 1}`
    }
    const answer = yield* send({ method: "POST", path: "/api/jobs/add", body }, headers, departures)
    const result = attemptResult({ status: answer.status, body: text(answer.body), retryAfterMs: undefined })
    if (result._tag === "Accepted" && result.jobId !== undefined) {
      jobs.set(result.jobId, jobs.get(result.jobId) ?? result)
    }
    const delivered: Delivered = { answer, result }
    return delivered
  })

  const post = (body: EventBody, departures?: Departures) =>
    postBytes(body.event_id, utf8(JSON.stringify(body)), departures)

  /** The job that an answer names, or the rule is broken. */
  const accepted = <E>(sent: Effect.Effect<Delivered, E>, what = "") =>
    Effect.flatMap(sent, ({ answer, result }) =>
      result._tag === "Accepted" ? Effect.succeed(result) : broken(`${what}${shown(answer)}`)
    )

  /** Holds a request to be refused as unsigned. */
  const refused = <E>(sent: Effect.Effect<Delivered, E>, what = "") =>
    Effect.flatMap(sent, ({ answer }) => (answer.status === 401 ? Effect.void : broken(`${what}${shown(answer)}`)))

  return {
    ...options,
    event,
    post,
    postBytes,
    accepted,
    refused,
    get: (departures: Departures = {}) =>
      send(
        { method: "GET", path: "/api/models/configurations", body: nothing },
        { accept: "application/json" },
        departures
      ),
    /** All that came so far. */
    answers: (): ReadonlyArray<WireAnswer> => answers,
    /** The jobs that were made, each once. */
    jobs: (): ReadonlyArray<Accepted> => [...jobs.values()],
    /** Seconds that the API's clock is ahead of this one; undefined where it does not say. */
    clockOffset: () => clockOffset
  }
}

export type Subject = ReturnType<typeof make>
