/** Deliberate mistakes in counting attempts, telling of them, and waiting for the next. */
import { Effect } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { jsonOf } from "../eventRecords.ts"
import type { Bug } from "../simulate.ts"
import {
  type Args,
  changingRetry,
  hourMs,
  httpBug,
  isToDlq,
  moveOf,
  redisBug,
  repliesInstead,
  scriptOf,
  sendingInstead,
  withRetry
} from "./wrongly.ts"

export const attemptBugs: ReadonlyArray<Bug> = [
  redisBug(
    "attempts-from-redis",
    "attempt-count",
    "takes Redis's delivery count for the attempt count",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { from, group, id } = moveOf(args)
      return Effect.flatMap(
        send<ReadonlyArray<ReadonlyArray<unknown>>>("XPENDING", from, group, id, id, "1"),
        ([pending]) => send(name, ...changingRetry(args, { attempt: Math.min(3, Number(pending?.[3] ?? 1)) }))
      )
    }
  ),
  redisBug(
    "attempts-forgotten",
    "attempt-count",
    "starts counting anew with every move",
    () => (send, name, args) =>
      scriptOf(name, args) === "move" && isToDlq(args) ? send(name, ...changingRetry(args, { attempt: 1 })) : undefined
  ),
  httpBug("attempt-header", "attempt-count", "numbers every attempt 1", () =>
    HttpClientRequest.setHeader("x-delivery-attempt", "1")
  ),
  redisBug("history-forgotten", "history", "tells of the last attempt alone", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { history } = jsonOf(moveOf(args).fields, "retry")
    return send(name, ...changingRetry(args, { history: Array.isArray(history) ? history.slice(-1) : [] }))
  }),
  redisBug("history-misdated", "history", "tells when an attempt ended for when it began", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { history, last_failed_at: at } = jsonOf(moveOf(args).fields, "retry")
    const misdated = Array.isArray(history) ? [...history.slice(0, -1), { ...history.at(-1), at }] : []
    return send(name, ...changingRetry(args, { history: misdated }))
  }),
  redisBug("early-retry", "retry-delay", "retries half a second early", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { fields } = moveOf(args)
    return send(name, ...changingRetry(args, { not_before: Number(jsonOf(fields, "retry").not_before) - 500 }))
  }),
  redisBug("due-now", "early", "does not wait until a retry is due", () => (send, name, args) => {
    const dueNow = (fields: Args): Args => withRetry(fields, { not_before: 0 })
    if (name === "XREADGROUP" && args.some((arg) => arg.endsWith(":dlq"))) {
      return Effect.map(send<ReadonlyArray<[string, ReadonlyArray<[string, Args]>]> | null>(name, ...args), (reply) =>
        (reply ?? []).map(([stream, entries]) => [stream, entries.map(([id, fields]) => [id, dueNow(fields)])])
      )
    }
    if (scriptOf(name, args) !== "take" || args[2]?.endsWith(":dlq") !== true) return undefined
    return Effect.map(send<readonly [number, Args] | readonly [number]>(name, ...args), ([deliveries, fields]) =>
      fields === undefined ? [deliveries] : [deliveries, dueNow(fields)]
    )
  }),
  redisBug("far-believed", "lost", "waits for a DLQ entry however far ahead it is due", () =>
    repliesInstead((text, now) =>
      text.replace(/"not_before":(\d+)/, (all, notBefore) =>
        Number(notBefore) > now + 24 * hourMs ? `"not_before":${now + hourMs}` : all
      )
    )
  ),
  {
    name: "centuries-believed",
    rule: "retry-delay",
    wrong: "waits for an hour where a Retry-After asks for centuries",
    overrides: () => {
      let asked = false
      const redis = sendingInstead((send, name, args) => {
        if (!asked || scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
        asked = false
        const { last_failed_at: failed } = jsonOf(moveOf(args).fields, "retry")
        return send(name, ...changingRetry(args, { not_before: Number(failed) + hourMs }))
      })
      const listen = Effect.map((response: HttpClientResponse.HttpClientResponse) => {
        asked ||= Number(response.headers["retry-after"] ?? 0) > 1_000_000
        return response
      })
      return { redis, http: HttpClient.transformResponse(listen) }
    }
  },
  {
    name: "breaker-off",
    rule: "attempt-burnt",
    wrong: "counts the attempts that an outage makes fail",
    settings: { circuitBreaker: false }
  }
]
