/** What deliberate mistakes are made of: a driver that does something else than it was asked, answers read as something else. */
import { Clock, Effect } from "effect"
import { HttpClient, type HttpClientError, type HttpClientRequest, type HttpClientResponse } from "effect/http"
import { LeanHttpResponse } from "../../../layers/http/LeanHttpResponse.ts"
import type { Redis } from "../../../services/Redis.ts"
import { scriptName } from "../../../services/Scripts.ts"
import { jsonOf } from "../eventRecords.ts"
import type { Bug } from "../simulate.ts"

type Service = Redis["Service"]
type Send = Service["send"]
export type Args = ReadonlyArray<string>
/** Sends something else than a command, or nothing; `undefined`: the command as it is. */
export type Instead = (send: Send, name: string, args: Args) => ReturnType<Send> | undefined

export const scriptOf = (name: string, args: Args): string | undefined =>
  name === "EVAL" ? scriptName(args[0] ?? "") : undefined

/** A `Redis` that does something else on every connection. */
export const sendingInstead =
  (instead: Instead) =>
  (redis: Service): Service => {
    const wrap =
      (send: Send): Send =>
      <A>(name: string, ...args: Args) =>
        (instead(send, name, args) ?? send(name, ...args)) as ReturnType<typeof send<A>>
    return {
      ...redis,
      send: wrap(redis.send),
      reserve: Effect.map(redis.reserve, (connection) => ({ ...connection, send: wrap(connection.send) }))
    }
  }

export const redisBug = (name: string, rule: string, wrong: string, make: () => Instead): Bug => ({
  name,
  rule,
  wrong,
  overrides: () => ({ redis: sendingInstead(make()) })
})

export const httpBug = (
  name: string,
  rule: string,
  wrong: string,
  change: () => (request: HttpClientRequest.HttpClientRequest) => HttpClientRequest.HttpClientRequest
): Bug => ({ name, rule, wrong, overrides: () => ({ http: HttpClient.mapRequest(change()) }) })

/** A move taken apart: its streams, group, owner, the entry's id, and the new entry. */
export const moveOf = (args: Args) => {
  const [from = "", to = "", group = "", consumer = "", id = "", remove = "", ...fields] = args.slice(2)
  return { from, to, group, consumer, id, remove, fields }
}

/** A replay taken apart: its streams, the set that remembers it, the abandoned entry's id, and the event. */
export const replayOf = (args: Args) => {
  const [from = "", to = "", marks = "", id = "", seconds = "", ...fields] = args.slice(2)
  return { from, to, marks, id, seconds, fields }
}

export const isToDlq = (args: Args): boolean => moveOf(args).fields[0] === "retry"

/** The fields of a DLQ entry with its `retry` changed. */
export const withRetry = (fields: Args, change: Readonly<Record<string, unknown>>): Args => [
  "retry",
  JSON.stringify({ ...jsonOf(fields, "retry"), ...change }),
  ...fields.slice(2)
]

export const changingRetry = (args: Args, change: Readonly<Record<string, unknown>>): Args => [
  ...args.slice(0, 8),
  ...withRetry(moveOf(args).fields, change)
]

export const isOwnPendingRead = (name: string, args: Args): boolean => name === "XPENDING" && args.length === 6

/** A driver whose replies say something else: of the entries, wherever they come from. */
export const repliesInstead = (change: (text: string, now: number) => string): Instead => {
  const changed = (reply: unknown, now: number): unknown =>
    typeof reply === "string"
      ? change(reply, now)
      : Array.isArray(reply)
        ? reply.map((item) => changed(item, now))
        : reply
  const answered = (reply: unknown) => Effect.map(Clock.currentTimeMillis, (now) => changed(reply, now))
  const isRead = (name: string, args: Args) =>
    name === "XREADGROUP" || name === "XRANGE" || name === "XREVRANGE" || scriptOf(name, args) === "take"
  return (send, name, args) => (isRead(name, args) ? Effect.flatMap(send(name, ...args), answered) : undefined)
}

export const hourMs = 3_600_000

/** A move of something else, or to somewhere else. */
export const moving = (args: Args, fields: Args, to = moveOf(args).to): Args => [
  ...args.slice(0, 3),
  to,
  ...args.slice(4, 8),
  ...fields
]

/** An answer with another status. */
export const answerInstead = (
  response: HttpClientResponse.HttpClientResponse,
  status: number
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
  Effect.map(response.text, (text) => {
    const { headers, request } = response
    return new LeanHttpResponse(request, request.url, status, { ...headers }, new TextEncoder().encode(text))
  })
