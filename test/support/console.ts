/** The console on a memory engine, asked as a browser or a program asks it, without a socket. */
import { Clock, Context, Effect, Layer } from "effect"
import { HttpEffect } from "effect/http"
import { Access, type Tokens } from "../../src/console/access.ts"
import * as Console from "../../src/console/console.ts"
import { FailedTries } from "../../src/console/failedTries.ts"
import { encodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import type { ConfigStore } from "../../src/services/ConfigStore.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { Redis } from "../../src/services/Redis.ts"
import { transcribeFields } from "./events.ts"
import { abandoned, dlq, group, processing, transcribe } from "./streams.ts"

export const readToken = "read-token-0123456789"
export const actToken = "act-token-0123456789a"

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly token?: string
  readonly body?: string
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const tokens: Tokens = { read: [{ name: "anna", token: readToken }], act: [{ name: "bob", token: actToken }] }

const set = { transcribe, process: processing, dlq, abandoned }

/** Asks a console that holds these tokens. */
export const console = Effect.fnUntraced(function* (
  given: Tokens = tokens,
  allowedHosts: ReadonlyArray<string> = [],
  config?: ConfigStore["Service"]
) {
  const redis = MemoryRedis.layer
  const services = yield* Layer.build(Layer.provideMerge(EventStreamsLayer.layer, redis))
  const access = new Access(given)
  const handler = yield* Console.handler({
    streams: Context.get(services, EventStreams),
    sets: [set],
    group,
    config,
    guarded: { access, failedTries: new FailedTries(), host: "127.0.0.1", allowedHosts }
  })
  const answer = HttpEffect.toWebHandler(Effect.provideContext(handler, yield* Effect.context<never>()))
  const ask = (path: string, { body, headers, method = "GET", token }: Asked = {}): Effect.Effect<Answered> =>
    Effect.promise(async () => {
      const request = new Request(`http://127.0.0.1:9465${path}`, {
        method,
        headers: {
          host: "127.0.0.1:9465",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers
        },
        ...(body === undefined ? {} : { body })
      })
      const response = await answer(request)
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  /** The first of what a stream says. */
  const stream = (path: string, token: string) =>
    Effect.promise(async () => {
      const headers = { host: "127.0.0.1:9465", authorization: `Bearer ${token}` }
      const response = await answer(new Request(`http://127.0.0.1:9465${path}`, { headers }))
      const reader = response.body?.getReader()
      return {
        type: response.headers.get("content-type"),
        first: Effect.promise(async () => {
          const chunk = await reader?.read()
          await reader?.cancel()
          return new TextDecoder().decode(chunk?.value)
        })
      }
    })
  return { ask, stream, access, redis: Context.get(services, Redis) }
})

export const form = { "content-type": "application/x-www-form-urlencoded" }

/** The cookie of a session that the sign-in form gave. */
export const cookieOf = ({ headers }: Answered): string => headers.get("set-cookie")?.split(";")[0] ?? ""

/** Gives events up: their entries' ids. */
export const abandon = Effect.fnUntraced(function* (
  redis: Redis["Service"],
  eventId: string,
  more: Partial<Parameters<typeof encodeAbandonedEntry>[0]> = {},
  fields: Readonly<Record<string, string>> = {}
) {
  const now = yield* Clock.currentTimeMillis
  const about = {
    reason: "exhausted" as const,
    attempts: 4,
    origin_stream: transcribe,
    origin_id: "1700000000000-0",
    first_failed_at: now,
    abandoned_at: now,
    error_code: "HTTP_500",
    error_message: "BROKEN: try later",
    ...more
  }
  return yield* redis.send<string>(
    "XADD",
    abandoned,
    "*",
    ...encodeAbandonedEntry(about, transcribeFields(eventId, now, fields))
  )
})
