/** The admin API (contract section 10), asked as a program asks it. */
import { assert, describe, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { abandon, actToken, console, readToken } from "../support/console.ts"
import { abandoned, lengthOf, transcribe } from "../support/streams.ts"

type Console = Effect.Success<ReturnType<typeof console>>

const json = { "content-type": "application/json" }

const get = (ask: Console["ask"], path: string, token = readToken) =>
  Effect.map(ask(`/api/v1${path}`, { token }), ({ status, text }) => ({ status, body: JSON.parse(text) }))

const post = (ask: Console["ask"], path: string, body: unknown, headers: Record<string, string> = {}) =>
  Effect.map(
    ask(`/api/v1${path}`, {
      method: "POST",
      token: actToken,
      headers: { ...json, ...headers },
      body: JSON.stringify(body)
    }),
    ({ headers, status, text }) => ({ status, type: headers.get("content-type"), body: JSON.parse(text) })
  )

/** Follows a job to its end. */
const ended = (ask: Console["ask"], id: string) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 100; tries++) {
      const { body } = yield* get(ask, `/jobs/${id}`)
      if (body.ended_at !== null) return body
      yield* TestClock.adjust("1 second")
    }
    return assert.fail("the job does not end")
  })

describe("the admin API", () => {
  it.effect("is described by a valid OpenAPI 3.1 document, to whoever may read", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      assert.strictEqual((yield* ask("/api/v1/openapi.json")).status, 401)
      const { body } = yield* get(ask, "/openapi.json")
      assert.match(body.openapi, /^3\.1\./)
      const checked = yield* Effect.promise(() => new Validator().validate(body))
      assert.deepStrictEqual(checked.errors ?? [], [])
      assert.includeMembers(Object.keys(body.paths), ["/api/v1/overview", "/api/v1/jobs/{id}/cancel", "/api/v1/live"])
    })
  )

  it.effect("every path of it wants a token, and one that acts where it changes something", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const { body } = yield* get(ask, "/openapi.json")
      const asked: Array<string> = []
      for (const [path, methods] of Object.entries<Record<string, unknown>>(body.paths)) {
        for (const method of Object.keys(methods).map((name) => name.toUpperCase())) {
          const at = path.replaceAll(/\{[^}]+\}/g, "x")
          asked.push(`${method} ${path}`)
          for (const [headers, token, wanted] of [
            [{}, undefined, 401],
            [{}, "wrong", 401],
            [{ host: "evil.example" }, actToken, 421]
          ] as const) {
            const answer = yield* ask(at, { method, headers, ...(token === undefined ? {} : { token }) })
            // Wrong tokens are limited in rate.
            const statuses = token === "wrong" ? [401, 429] : [wanted]
            assert.include(statuses, answer.status, `${method} ${path} ${token}`)
            assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
          }
          if (method !== "GET") assert.strictEqual((yield* ask(at, { method, token: readToken })).status, 403, path)
        }
      }
      assert.isAtLeast(asked.length, 14)
    })
  )

  it.effect("pages through what failed without a gap or a repeat, says how far it looked, and groups it", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      for (let at = 0; at < 25; at++)
        yield* abandon(redis, `e-${at}`, { error_code: at % 5 === 0 ? "TIMEOUT" : "HTTP_500" })
      const seen: Array<string> = []
      let cursor: string | null = null
      let pages = 0
      do {
        const { body }: { body: { entries: Array<{ event_id: string }>; next: string | null } } = yield* get(
          ask,
          `/abandoned?limit=4&error_code=HTTP_500${cursor === null ? "" : `&cursor=${cursor}`}`
        )
        seen.push(...body.entries.map(({ event_id }) => event_id))
        cursor = body.next
        pages += 1
      } while (cursor !== null)
      assert.deepStrictEqual(
        seen,
        Array.from({ length: 25 }, (_, at) => at)
          .filter((at) => at % 5 !== 0)
          .map((at) => `e-${at}`)
          .reverse()
      )
      assert.isAtLeast(pages, 5)
      const near = yield* get(ask, "/abandoned?error_code=TIMEOUT&look=3")
      assert.isBelow(near.body.looked, 25)
      assert.isString(near.body.next)
      const groups = yield* get(ask, "/groups?place=abandoned")
      assert.deepStrictEqual(
        groups.body.groups.map(({ count, key }: { count: number; key: string }) => `${count} ${key}`),
        ["20 HTTP_500 BROKEN: try later", "5 TIMEOUT BROKEN: try later"]
      )
      assert.deepInclude(groups.body, { matched: 25, looked: 25, next: null })
    })
  )

  it.effect("says what cannot be meant as a problem, whatever it is given", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      yield* abandon(redis, "e-1")
      const huge = "99999999999999999999-99999999999999999999"
      for (const [path, status] of [
        ["/abandoned?cursor=nonsense", 400],
        [`/abandoned?cursor=0.${huge}`, 400],
        ["/abandoned?cursor=7.1-1", 400],
        [`/abandoned?id=${huge}`, 200],
        ["/abandoned?limit=0", 400],
        ["/abandoned?limit=1e9", 400],
        ["/abandoned?look=200001", 400],
        ["/abandoned?reason=nonsense", 400],
        ["/abandoned?since=yesterday", 400],
        ["/abandoned?since=2026-01-01T00:00:00Z&until=2025-01-01T00:00:00Z", 400],
        ["/abandoned?where=nonsense", 400],
        ["/abandoned?where=__proto__=x", 400],
        ["/abandoned?stream=nonsense", 400],
        [`/abandoned?${"user=x&".repeat(300)}`, 400],
        ["/groups?place=elsewhere", 400],
        ["/groups?place=dlq&by=moon", 400],
        ["/events/%3Cscript%3E", 200],
        ["/events/e-1?within=always", 400],
        [`/audit?cursor=${huge}`, 400],
        ["/jobs/__proto__", 404],
        ["/nonsense", 404]
      ] as const) {
        const answer = yield* ask(`/api/v1${path}`, { token: readToken })
        assert.strictEqual(answer.status, status, `${path}: ${answer.text}`)
        if (status !== 200) assert.strictEqual(answer.headers.get("content-type"), "application/problem+json", path)
      }
    })
  )

  it.effect("sets and lifts rules by the token's name, with the reason, and the audit has it", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const set = yield* post(ask, "/rules", { kind: "pause", duration: "10m", why: "migration" })
      assert.deepInclude(set.body.changed[0], { kind: "pause", by: "bob", why: "migration" })
      assert.deepInclude((yield* get(ask, "/overview")).body.verdict, { level: "bad" })
      yield* post(ask, "/rules", { kind: "park", field: "user_id", value: "u-1" })
      assert.lengthOf((yield* get(ask, "/rules")).body.rules, 2)
      yield* post(ask, "/rules/lift", { kind: "pause" })
      for (const body of [
        { kind: "limit", rate: "fast" },
        { kind: "park", field: "x", value: "y" },
        { kind: "pause", duration: "x" },
        { kind: "stop" },
        []
      ])
        assert.strictEqual((yield* post(ask, "/rules", body)).status, 400, JSON.stringify(body))
      const { body } = yield* get(ask, "/audit")
      assert.deepStrictEqual(
        body.changes.map(({ action, who, why }: Record<string, string>) => `${who} ${action} ${why}`),
        ["bob resume null", "bob park null", "bob pause migration"]
      )
      const first = yield* get(ask, "/audit?limit=2")
      const rest = yield* get(ask, `/audit?limit=2&cursor=${first.body.next}`)
      assert.deepStrictEqual([...first.body.changes, ...rest.body.changes], body.changes)
    })
  )

  it.effect("a job replays what matched when it began, once for each key, and is in the audit", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      for (let at = 0; at < 5; at++) yield* abandon(redis, `e-${at}`, { error_code: at < 2 ? "TIMEOUT" : "HTTP_500" })
      const body = {
        action: "abandoned replay",
        filters: { error_code: ["HTTP_500"] },
        rate: 10,
        why: "the API is back"
      }
      const rehearsed = yield* post(ask, "/jobs", { ...body, dry_run: true })
      assert.deepInclude(rehearsed.body, { dry_run: true, matched: 3, done: 3, is_whole: true })
      assert.strictEqual(yield* lengthOf(redis, abandoned), 5)
      const once = { "idempotency-key": "k-1" }
      const started = yield* post(ask, "/jobs", body, once)
      assert.strictEqual(started.status, 201)
      assert.strictEqual((yield* post(ask, "/jobs", body, once)).body.id, started.body.id)
      assert.strictEqual((yield* post(ask, "/jobs", { ...body, rate: 11 }, once)).status, 409)
      const job = yield* ended(ask, started.body.id)
      assert.deepInclude(job, { state: "done", total: 3, done: 3, by: "bob", filter: "--error-code HTTP_500" })
      assert.strictEqual(yield* lengthOf(redis, abandoned), 2)
      assert.strictEqual(yield* lengthOf(redis, transcribe), 3)
      assert.lengthOf((yield* get(ask, "/jobs")).body, 1)
      const { changes } = (yield* get(ask, "/audit")).body
      assert.deepInclude(changes[0], { who: "bob", action: "abandoned replay", count: 3, why: "the API is back" })
    })
  )

  it.effect(
    "nothing is done to everything by accident; a job that is cancelled stops between two events and says so",
    () =>
      Effect.gen(function* () {
        const { ask, redis } = yield* console()
        for (let at = 0; at < 50; at++) yield* abandon(redis, `e-${at}`)
        for (const body of [
          { action: "abandoned replay" },
          { action: "abandoned drop", filters: {} },
          { action: "abandoned drop", filters: { user: [""] } },
          { action: "abandoned replay", all: true, filters: { user: ["u"] } },
          { action: "abandoned replay", filters: { reason: ["nonsense"] } },
          { action: "flush" }
        ])
          assert.strictEqual((yield* post(ask, "/jobs", body)).status, 400, JSON.stringify(body))
        assert.strictEqual(yield* lengthOf(redis, abandoned), 50)
        const { body } = yield* post(ask, "/jobs", { action: "abandoned replay", all: true, rate: 1 })
        yield* TestClock.adjust("4500 millis")
        const cancelled = yield* post(ask, `/jobs/${body.id}/cancel`, {})
        assert.strictEqual(cancelled.body.state, "cancelled")
        const left = yield* lengthOf(redis, abandoned)
        assert.strictEqual(cancelled.body.done, 50 - left)
        assert.isAtLeast(left, 44)
        assert.deepInclude((yield* get(ask, "/audit")).body.changes[0], { filter: "--all", count: 50 - left })
      })
  )

  it.effect("tells the live figures as server-sent events", () =>
    Effect.gen(function* () {
      const { stream } = yield* console()
      const events = yield* stream("/api/v1/live", readToken)
      assert.strictEqual(events.type, "text/event-stream")
      assert.match(yield* events.first, /^data: \{"at":"[^\n]*\n\n$/m)
    })
  )

  it.effect(
    "an export is a job: who may act may, it is cancelled where it stands, and the audit has how many went out",
    () =>
      Effect.gen(function* () {
        const { ask, redis } = yield* console()
        yield* TestClock.adjust("1 hour")
        for (let i = 0; i < 3; i++) yield* abandon(redis, `e-${i}`)
        const body = JSON.stringify({ place: "abandoned", why: "a ticket" })
        const wanted = { method: "POST", headers: json, body }
        assert.strictEqual((yield* ask("/api/v1/exports", { ...wanted, token: readToken })).status, 403)
        const { status, text } = yield* ask("/api/v1/exports", { ...wanted, token: actToken })
        assert.deepStrictEqual([status, text.trim().split("\n").length], [200, 3])
        const { body: jobs } = yield* get(ask, "/jobs")
        assert.deepInclude(jobs[0], { action: "abandoned export", state: "done", total: 3, done: 3, by: "bob" })
        const { body: acts } = yield* get(ask, "/audit")
        assert.deepInclude(acts.changes[0], { who: "bob", action: "abandoned export", count: 3, why: "a ticket" })
      })
  )
})
