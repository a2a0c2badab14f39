/**
 * Deliberate mistakes, to prove that the checkers see: each is made outside of the app, in what it is given (a driver that
 * does something else than it was asked) or in its settings. None is in the product's code.
 */
import { Clock, Effect } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { LeanHttpResponse } from "../../layers/http/LeanHttpResponse.ts"
import type { Redis } from "../../services/Redis.ts"
import { scriptName } from "../../services/Scripts.ts"
import { jsonOf } from "./eventRecords.ts"
import { foreignStream } from "./hostile.ts"
import { rulesForgotten } from "./ruleBugs.ts"
import type { Bug } from "./simulate.ts"

type Service = Redis["Service"]
type Send = Service["send"]
type Args = ReadonlyArray<string>
/** Sends something else than a command, or nothing; `undefined`: the command as it is. */
type Instead = (send: Send, name: string, args: Args) => ReturnType<Send> | undefined

const scriptOf = (name: string, args: Args): string | undefined =>
  name === "EVAL" ? scriptName(args[0] ?? "") : undefined

/** A `Redis` that does something else on every connection. */
const sendingInstead =
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

const redisBug = (name: string, wrong: string, make: () => Instead): Bug => ({
  name,
  wrong,
  overrides: () => ({ redis: sendingInstead(make()) })
})

const httpBug = (
  name: string,
  wrong: string,
  change: () => (request: HttpClientRequest.HttpClientRequest) => HttpClientRequest.HttpClientRequest
): Bug => ({ name, wrong, overrides: () => ({ http: HttpClient.mapRequest(change()) }) })

/** A move taken apart: its streams, group, owner, the entry's id, and the new entry. */
const moveOf = (args: Args) => {
  const [from = "", to = "", group = "", consumer = "", id = "", remove = "", ...fields] = args.slice(2)
  return { from, to, group, consumer, id, remove, fields }
}

/** A replay taken apart: its streams, the set that remembers it, the abandoned entry's id, and the event. */
const replayOf = (args: Args) => {
  const [from = "", to = "", marks = "", id = "", seconds = "", ...fields] = args.slice(2)
  return { from, to, marks, id, seconds, fields }
}

const isToDlq = (args: Args): boolean => moveOf(args).fields[0] === "retry"

/** The fields of a DLQ entry with its `retry` changed. */
const withRetry = (fields: Args, change: Readonly<Record<string, unknown>>): Args => [
  "retry",
  JSON.stringify({ ...jsonOf(fields, "retry"), ...change }),
  ...fields.slice(2)
]

const changingRetry = (args: Args, change: Readonly<Record<string, unknown>>): Args => [
  ...args.slice(0, 8),
  ...withRetry(moveOf(args).fields, change)
]

const isOwnPendingRead = (name: string, args: Args): boolean => name === "XPENDING" && args.length === 6

/** A driver whose replies say something else: of the entries, wherever they come from. */
const repliesInstead = (change: (text: string, now: number) => string): Instead => {
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

const hourMs = 3_600_000

/** An answer to a delivery as a success, whatever it was. */
const taken = (response: HttpClientResponse.HttpClientResponse): HttpClientResponse.HttpClientResponse => {
  const { request } = response
  if (request.method !== "POST") return response
  return new LeanHttpResponse(
    request,
    request.url,
    200,
    {},
    new TextEncoder().encode('{"job_id":1,"credits_deducted":1}')
  )
}

/** Deliberate mistakes, each of which some seed of {@link simulate} must find: they show that the checkers can fail. */
export const bugs: ReadonlyArray<Bug> = [
  redisBug(
    "acknowledge-first",
    "acknowledges what it reads before it is delivered",
    () => (send, name, args) =>
      name !== "XREADGROUP"
        ? undefined
        : Effect.tap(send<ReadonlyArray<[string, ReadonlyArray<[string, unknown]>]> | null>(name, ...args), (reply) =>
            Effect.forEach(reply ?? [], ([stream, entries]) =>
              send("XACK", stream, args[1] ?? "", ...entries.map(([id]) => id))
            )
          )
  ),
  redisBug(
    "no-keep-alive",
    "does not renew what it holds",
    () => (_send, name, args) => (scriptOf(name, args) === "renew" ? Effect.succeed([[], []]) : undefined)
  ),
  redisBug(
    "no-reread",
    "does not read its own pending entries again after a reconnect",
    () => (_send, name, args) => (isOwnPendingRead(name, args) && args[2] === "-" ? Effect.succeed([]) : undefined)
  ),
  redisBug(
    "no-take-over",
    "takes over nothing from a replica that is gone",
    () => (_send, name) => (name === "XAUTOCLAIM" ? Effect.succeed(["0-0", [], []]) : undefined)
  ),
  redisBug(
    "take-over-at-once",
    "takes over what is not idle for long",
    () => (send, name, args) =>
      name === "XAUTOCLAIM" ? send(name, ...args.slice(0, 3), "1000", ...args.slice(4)) : undefined
  ),
  redisBug(
    "steals-back",
    "keeps alive with XCLAIM alone, without asking who owns the entry",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "renew") return undefined
      const [stream = "", group = "", consumer = "", ...ids] = args.slice(2)
      return ids.length === 0
        ? Effect.succeed([[], []])
        : Effect.as(send("XCLAIM", stream, group, consumer, "0", ...ids, "JUSTID"), [[], []])
    }
  ),
  redisBug("attempts-from-redis", "takes Redis's delivery count for the attempt count", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { from, group, id } = moveOf(args)
    return Effect.flatMap(
      send<ReadonlyArray<ReadonlyArray<unknown>>>("XPENDING", from, group, id, id, "1"),
      ([pending]) => send(name, ...changingRetry(args, { attempt: Math.min(3, Number(pending?.[3] ?? 1)) }))
    )
  }),
  redisBug(
    "attempts-forgotten",
    "starts counting anew with every move",
    () => (send, name, args) =>
      scriptOf(name, args) === "move" && isToDlq(args) ? send(name, ...changingRetry(args, { attempt: 1 })) : undefined
  ),
  redisBug("history-forgotten", "tells of the last attempt alone", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { history } = jsonOf(moveOf(args).fields, "retry")
    return send(name, ...changingRetry(args, { history: Array.isArray(history) ? history.slice(-1) : [] }))
  }),
  redisBug("history-misdated", "tells when an attempt ended for when it began", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { history, last_failed_at: at } = jsonOf(moveOf(args).fields, "retry")
    const misdated = Array.isArray(history) ? [...history.slice(0, -1), { ...history.at(-1), at }] : []
    return send(name, ...changingRetry(args, { history: misdated }))
  }),
  redisBug("acknowledge-then-add", "moves in two steps, the acknowledgement first", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move") return undefined
    const { consumer, fields, from, group, id, remove, to } = moveOf(args)
    return Effect.gen(function* () {
      const owned = yield* send<ReadonlyArray<unknown>>("XPENDING", from, group, id, id, "1", consumer)
      if (owned.length === 0) return 0
      yield* send("XACK", from, group, id)
      yield* send("XADD", to, "*", ...fields)
      if (remove === "1") yield* send("XDEL", from, id)
      return 1
    })
  }),
  redisBug("add-then-acknowledge", "moves in two steps, the copy first", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move") return undefined
    const { consumer, fields, from, group, id, remove, to } = moveOf(args)
    return Effect.gen(function* () {
      const owned = yield* send<ReadonlyArray<unknown>>("XPENDING", from, group, id, id, "1", consumer)
      if (owned.length === 0) return 0
      yield* send("XADD", to, "*", ...fields)
      yield* send("XACK", from, group, id)
      if (remove === "1") yield* send("XDEL", from, id)
      return 1
    })
  }),
  redisBug("move-unowned", "moves entries that another consumer owns by now", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move") return undefined
    const { fields, from, group, id, remove, to } = moveOf(args)
    return Effect.gen(function* () {
      yield* send("XADD", to, "*", ...fields)
      yield* send("XACK", from, group, id)
      if (remove === "1") yield* send("XDEL", from, id)
      return 1
    })
  }),
  redisBug("retry-from-memory", "keeps what is to be retried in memory only", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { fields, from, group, id, to } = moveOf(args)
    const later = Effect.andThen(Effect.sleep("3 seconds"), Effect.ignore(send("XADD", to, "*", ...fields)))
    return send("XACK", from, group, id).pipe(Effect.tap(Effect.forkDetach(later)), Effect.as(1))
  }),
  redisBug("early-retry", "retries half a second early", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { fields } = moveOf(args)
    return send(name, ...changingRetry(args, { not_before: Number(jsonOf(fields, "retry").not_before) - 500 }))
  }),
  redisBug("due-now", "does not wait until a retry is due", () => (send, name, args) => {
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
  redisBug("swallowed-acknowledgement", "believes an acknowledgement that Redis never got", () => {
    let serial = 0
    return (_send, name, args) => (name === "XACK" && ++serial % 20 === 0 ? Effect.succeed(args.length - 2) : undefined)
  }),
  redisBug(
    "dlq-not-acknowledged",
    "deletes finished DLQ entries without acknowledging them",
    () => (send, name, args) =>
      scriptOf(name, args) === "finish" ? send("XDEL", args[2] ?? "", ...args.slice(4)) : undefined
  ),
  redisBug(
    "group-at-end",
    "creates a group that is gone at the stream's end",
    () => (send, name, args) =>
      name === "XGROUP" && args[0] === "CREATE" ? send(name, ...args.slice(0, 3), "$", ...args.slice(4)) : undefined
  ),
  redisBug(
    "trims-pending",
    "trims the streams to their last entries, whatever is pending",
    () => (send, name, args) =>
      scriptOf(name, args) === "trim"
        ? Effect.andThen(send("XTRIM", args[2] ?? "", "MAXLEN", "0"), send(name, ...args))
        : undefined
  ),
  redisBug(
    "no-release",
    "gives up nothing when it stops",
    () => (_send, name, args) => (scriptOf(name, args) === "release" ? Effect.succeed(0) : undefined)
  ),
  redisBug(
    "poison-uncounted",
    "does not count the hand-outs of what it takes up again",
    () => (send, name, args) => (scriptOf(name, args) === "take" ? send(name, ...args.slice(0, -1), "0") : undefined)
  ),
  httpBug("one-signature", "signs once and uses it again for the same body", () => {
    const signed = new Map<string, string>()
    return (request) => {
      const key = request.headers["idempotency-key"] ?? ""
      const known = signed.get(key)
      if (known === undefined) {
        signed.set(key, request.headers.authorization ?? "")
        return request
      }
      return HttpClientRequest.setHeader(request, "authorization", known)
    }
  }),
  httpBug("key-per-attempt", "makes a new Idempotency-Key for every attempt", () => (request) => {
    const { "idempotency-key": key, "x-delivery-attempt": attempt } = request.headers
    return key === undefined ? request : HttpClientRequest.setHeader(request, "idempotency-key", `${key}.${attempt}`)
  }),
  httpBug("attempt-header", "numbers every attempt 1", () => HttpClientRequest.setHeader("x-delivery-attempt", "1")),
  redisBug(
    "replay-removes-first",
    "replays in two steps, the abandoned entry deleted first",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "replay") return undefined
      const { fields, from, id, to } = replayOf(args)
      return Effect.flatMap(send("XDEL", from, id), (removed) =>
        removed === 0 ? Effect.succeed(null) : send("XADD", to, "*", ...fields)
      )
    }
  ),
  redisBug("replay-adds-first", "replays in two steps, the copy first", () => (send, name, args) => {
    if (scriptOf(name, args) !== "replay") return undefined
    const { fields, from, id, to } = replayOf(args)
    return Effect.tap(send("XADD", to, "*", ...fields), () => send("XDEL", from, id))
  }),
  redisBug("replay-keeps-attempts", "replays into the DLQ, with the attempts made so far", () => (send, name, args) => {
    if (scriptOf(name, args) !== "replay") return undefined
    const { fields, from, id, marks, seconds } = replayOf(args)
    const event = Object.fromEntries(fields.flatMap((field, at) => (at % 2 === 0 ? [[field, fields[at + 1]]] : [])))
    return Effect.flatMap(send<ReadonlyArray<readonly [string, Args]>>("XRANGE", from, id, id), ([entry]) => {
      const { abandoned_at: failed, attempts, ...about } = jsonOf(entry?.[1] ?? [], "abandoned")
      const attempt = Math.max(1, Math.min(3, Number(attempts)))
      const retry = JSON.stringify({ ...about, attempt, not_before: failed, last_failed_at: failed })
      const copy = ["retry", retry, "event", JSON.stringify(event)]
      return send(name, args[0] ?? "", "3", from, from.replace(/abandoned$/, "dlq"), marks, id, seconds, ...copy)
    })
  }),
  redisBug("replay-renames", "replays an event under a new id", () => {
    let serial = 0
    return (send, name, args) => {
      if (scriptOf(name, args) !== "replay") return undefined
      const { fields } = replayOf(args)
      const at = fields.indexOf("event_id") + 1
      if (at === 0) return undefined
      return send(name, ...args.slice(0, 7), ...fields.with(at, `${fields[at]}-again-${++serial}`))
    }
  }),
  redisBug(
    "replay-forgets-source",
    "replays an event as if it came new",
    () => (send, name, args) => (scriptOf(name, args) === "replay" ? send(name, ...args.slice(0, -2)) : undefined)
  ),
  redisBug("replay-forgets-history", "replays an event without the attempts made before", () => (send, name, args) => {
    if (scriptOf(name, args) !== "replay") return undefined
    const [mark = "{}"] = args.slice(-1)
    return send(name, ...args.slice(0, -1), JSON.stringify({ ...JSON.parse(mark), history: [] }))
  }),
  redisBug("replay-unmarked", "does not remember what a replay put back", () => (send, name, args) => {
    if (scriptOf(name, args) !== "replay") return undefined
    const { marks } = replayOf(args)
    return send(name, ...args.map((arg) => (arg === marks ? `${marks}:nowhere` : arg)))
  }),
  {
    name: "anything-is-success",
    wrong: "takes every answer for success, garbage included",
    overrides: () => ({ http: HttpClient.transformResponse(Effect.map(taken)) })
  },
  {
    name: "no-pause",
    wrong: "does not hear how long a 429 asks it to wait",
    overrides: () => ({
      http: HttpClient.transformResponse(
        Effect.flatMap((response) =>
          Effect.map(response.text, (text) => {
            const { request, status } = response
            return new LeanHttpResponse(request, request.url, status, {}, new TextEncoder().encode(text))
          })
        )
      )
    })
  },
  {
    name: "no-fsync",
    wrong: "installs configuration files without syncing them",
    overrides: () => ({
      files: (files) => ({
        ...files,
        open: (path, options) => Effect.map(files.open(path, options), (file) => ({ ...file, sync: Effect.void }))
      })
    })
  },
  redisBug(
    "oversize-stalls",
    "believes that it moved an event too large to be kept whole",
    () => (_send, name, args) =>
      scriptOf(name, args) === "move" && args.includes("truncated") ? Effect.succeed(1) : undefined
  ),
  redisBug("far-believed", "waits for a DLQ entry however far ahead it is due", () =>
    repliesInstead((text, now) =>
      text.replace(/"not_before":(\d+)/, (all, notBefore) =>
        Number(notBefore) > now + 24 * hourMs ? `"not_before":${now + hourMs}` : all
      )
    )
  ),
  redisBug("forged-origin-followed", "replays into whatever stream an abandoned entry names", () =>
    repliesInstead((text) =>
      text.replaceAll(`"origin_stream":"${foreignStream}"`, '"origin_stream":"{sim}:transcribe"')
    )
  ),
  {
    name: "centuries-believed",
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
    name: "odd-status-is-success",
    wrong: "takes an interim answer, a redirection and an answer without a body for success",
    overrides: () => ({
      http: HttpClient.transformResponse(
        Effect.map((response) => ([103, 204, 302].includes(response.status) ? taken(response) : response))
      )
    })
  },
  { name: "breaker-off", wrong: "counts the attempts that an outage makes fail", settings: { circuitBreaker: false } },
  {
    name: "limit-per-replica",
    wrong: "keeps to the rate for itself, whatever the other replicas send",
    overrides: ({ name: replica }) => ({
      redis: sendingInstead((send, name, [lua = "", keys = "", key = "", ...args]) =>
        scriptOf(name, [lua]) === "reserve" ? send(name, lua, keys, `${key}:${replica}`, ...args) : undefined
      )
    })
  },
  { name: "share-not-kept", wrong: "lets a partition have every permit, whoever waits", settings: { isolateShare: 1 } },
  redisBug("parked-counts", "counts an attempt of an event that is parked", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { attempt, set_aside: reason } = jsonOf(moveOf(args).fields, "retry")
    return reason === "parked" ? send(name, ...changingRetry(args, { attempt: Number(attempt) + 1 })) : undefined
  }),
  redisBug("aside-forgotten", "believes that it set an event aside, and acknowledges it", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
    const { fields, from, group, id } = moveOf(args)
    return jsonOf(fields, "retry").set_aside === undefined ? undefined : Effect.as(send("XACK", from, group, id), 1)
  }),
  { name: "unbounded", wrong: "works on more than it should at a time", settings: { deliveryConcurrency: 200 } },
  rulesForgotten
]
