import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { afterAll, beforeAll } from "vitest"
import * as Database from "../../sandbox/database/Database.ts"
import { seed } from "../../sandbox/database/seed.ts"
import { creditsForAudio } from "../../src/domain/events/credits.ts"

/** A database of the sandbox, running. */
export interface RunningDatabase {
  readonly url: string
  readonly connections: number
  readonly stop: () => Promise<void>
}

interface Row {
  readonly number: number
  readonly outcome: string
  readonly job_id: bigint | null
  readonly credits: bigint | null
}

const transcribe = (event_id: string, more: object = {}) => ({
  event_id,
  event_type: "transcribe",
  source: { stream: "s", id: "1-1" },
  user_id: "rich",
  device_id: "d",
  session_id: "s",
  started_at: "2026-01-01T00:00:00.000Z",
  completed_at: "2026-01-01T00:01:00.000Z",
  audio_seconds: 18,
  attributes: {},
  ...more
})

const add = (requests: ReadonlyArray<object>) =>
  Effect.flatMap(SqlClient, (sql) => sql<Row>`SELECT * FROM add_jobs(${JSON.stringify(requests)}::text::jsonb)`)

const balance = (user: string) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(sql<{ readonly balance: bigint }>`SELECT balance FROM users_credits WHERE user_id = ${user}`, ([row]) =>
      Number(row?.balance)
    )
  )

/** What the schema promises, held against any PostgreSQL. */
export const databaseSuite = (name: string, start: () => Promise<RunningDatabase>) =>
  describe(name, () => {
    let running: RunningDatabase
    beforeAll(async () => {
      running = await start()
    }, 60_000)
    afterAll(() => running?.stop())

    /** Runs on empty tables, with a rich user and a poor one. */
    const fresh = <A, E>(body: Effect.Effect<A, E, SqlClient>) =>
      Effect.gen(function* () {
        const options = { url: Redacted.make(running.url), connections: running.connections }
        yield* SqlClient.use((sql) => Effect.andThen(sql`DROP SCHEMA public CASCADE`, sql`CREATE SCHEMA public`)).pipe(
          Effect.provide(Database.layerClient(options))
        )
        const users = [
          { id: "rich", credits: 1_000_000 },
          { id: "poor", credits: 150 }
        ]
        return yield* Effect.provide(Effect.andThen(seed(users), body), Database.layer(options))
      })

    it.live("charges, stores and records an event once, in whatever group it comes", () =>
      fresh(
        Effect.gen(function* () {
          const first = yield* add([transcribe("a"), transcribe("b"), transcribe("a")])
          assert.deepStrictEqual(
            first.map((row) => [row.number, row.outcome, row.credits]),
            [
              [1, "created", 100n],
              [2, "created", 100n],
              [3, "replayed", 100n]
            ]
          )
          const second = yield* add([transcribe("b", { source: { stream: "s", id: "2-1" } })])
          assert.deepStrictEqual(second, [{ number: 1, outcome: "replayed", job_id: first[1]!.job_id, credits: 100n }])
          assert.strictEqual(yield* balance("rich"), 1_000_000 - 200)
        })
      )
    )

    it.live(
      "refuses the same event with other content, unknown users and models, and what a balance does not cover",
      () =>
        fresh(
          Effect.gen(function* () {
            const rows = yield* add([
              transcribe("a"),
              transcribe("a", { audio_seconds: 19 }),
              transcribe("b", { user_id: "nobody" }),
              { ...transcribe("c"), event_type: "process", model: "none", prompt_tokens: 1, completion_tokens: 1 },
              transcribe("d", { user_id: "poor" }),
              transcribe("e", { user_id: "poor" })
            ])
            assert.deepStrictEqual(
              [...rows].sort((x, y) => x.number - y.number).map((row) => row.outcome),
              ["created", "conflict", "unknown_user", "unknown_model", "created", "insufficient_balance"]
            )
            assert.strictEqual(yield* balance("poor"), 50)
            assert.strictEqual(yield* balance("rich"), 1_000_000 - 100)
          })
        )
    )

    it.live("undoes the whole group where one statement of it fails", () =>
      fresh(
        Effect.gen(function* () {
          const error = yield* Effect.flip(add([transcribe("a"), transcribe("b", { device_id: null })]))
          assert.strictEqual(error.reason._tag, "ConstraintError")
          assert.strictEqual(yield* balance("rich"), 1_000_000)
        })
      )
    )

    it.live("cannot be made to charge twice: one job an event, its credits fixed, rows never changed", () =>
      fresh(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* add([transcribe("a")])
          const copy = (event: string, credits: number) => sql`
            INSERT INTO jobs (event_id, event_type, user_id, device_id, session_id, started_at, completed_at,
              audio_seconds, credits, body)
            SELECT ${event}, event_type, user_id, device_id, session_id, started_at, completed_at, audio_seconds,
              ${credits}::bigint, body FROM jobs WHERE event_id = 'a'`
          const failures = yield* Effect.forEach(
            [
              copy("a", 100),
              copy("b", 101),
              sql`UPDATE jobs SET credits = 1`,
              sql`DELETE FROM jobs`,
              sql`UPDATE idempotency_records SET fingerprint = ''`,
              sql`INSERT INTO idempotency_records VALUES ('other key', 'a', '', 1, 100)`,
              sql`UPDATE users_credits SET balance = -1`
            ],
            (statement: Effect.Effect<unknown, SqlError>) =>
              Effect.map(Effect.flip(statement), (error) => error.reason._tag)
          )
          assert.deepStrictEqual(failures, [
            "UniqueViolation",
            "ConstraintError",
            "UnknownError",
            "UnknownError",
            "UnknownError",
            "ConstraintError",
            "ConstraintError"
          ])
          assert.strictEqual(yield* balance("rich"), 1_000_000 - 100)
        })
      )
    )

    it.live("computes the very credits that the collector expects", () =>
      fresh(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          const seconds = Array.from({ length: 4_000 }, (_, i) => (i < 2_000 ? i * 0.09 : (i - 2_000) * 43.2))
          const [row] = yield* sql<{ readonly credits: ReadonlyArray<number> }>`
            SELECT json_agg(credits_for_audio(s::text::double precision) ORDER BY n) AS credits
            FROM jsonb_array_elements(${JSON.stringify(seconds)}::text::jsonb) WITH ORDINALITY AS t (s, n)`
          assert.deepStrictEqual(row!.credits, seconds.map(creditsForAudio))
        })
      )
    )

    it.live("raises the configuration's version with every change and with nothing else", () =>
      fresh(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          const version = Effect.map(
            sql<{ readonly version: number }>`SELECT version FROM configuration_bundle`,
            ([row]) => row!.version
          )
          const start = yield* version
          yield* add([transcribe("a")])
          assert.strictEqual(yield* version, start)
          yield* sql`UPDATE ai_models_costs SET input = 3 WHERE model_id = 'gpt-4o'`
          yield* sql`DELETE FROM rate_limits WHERE model_id = 'whisper-1'`
          yield* sql`INSERT INTO openai_keys VALUES ('second', 'sk-another')`
          assert.strictEqual(yield* version, start + 3)
          yield* sql.withTransaction(
            Effect.andThen(sql`UPDATE ai_models_costs SET output = 3`, sql`UPDATE ai_models SET enabled = false`)
          )
          assert.strictEqual(yield* version, start + 4)
        })
      )
    )
  })
