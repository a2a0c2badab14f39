import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/** A model as the tables hold it; costs are credits per 1,000 tokens. */
interface SeedModel {
  readonly id: string
  readonly provider: string
  readonly input: number
  readonly output: number
  readonly rules: Readonly<Record<string, unknown>>
  readonly limits: readonly [requestsPerMinute: number, tokensPerMinute: number]
}

/** The models that the gateway of the sandbox uses. */
const models: ReadonlyArray<SeedModel> = [
  {
    id: "gpt-4o",
    provider: "openai",
    input: 2.5,
    output: 10,
    rules: { max_output_tokens: 4096, temperature: 0.2 },
    limits: [600, 100_000]
  },
  {
    id: "gpt-4o-mini",
    provider: "openai",
    input: 0.15,
    output: 0.6,
    rules: { max_output_tokens: 4096, temperature: 0.2 },
    limits: [3_000, 500_000]
  },
  {
    id: "whisper-1",
    provider: "openai",
    input: 0,
    output: 0,
    rules: { max_audio_seconds: 7_200, language: "auto" },
    limits: [500, 0]
  }
]

/** A user and what the user starts with. */
export interface SeedUser {
  readonly id: string
  readonly credits: number
}

/** Fills empty tables with the models, one (made-up) key and the users, in one transaction. */
export const seed = Effect.fn("seed")(function* (users: ReadonlyArray<SeedUser>) {
  const sql = yield* SqlClient
  yield* sql.withTransaction(
    Effect.gen(function* () {
      for (const m of models) {
        yield* sql`INSERT INTO ai_models (model_id, provider) VALUES (${m.id}, ${m.provider})`
        yield* sql`INSERT INTO ai_models_rules (model_id, rules)
          VALUES (${m.id}, ${JSON.stringify(m.rules)}::text::jsonb)`
        yield* sql`INSERT INTO ai_models_costs (model_id, input, output) VALUES (${m.id}, ${m.input}, ${m.output})`
        yield* sql`INSERT INTO rate_limits (model_id, requests_per_minute, tokens_per_minute)
          VALUES (${m.id}, ${m.limits[0]}, ${m.limits[1]})`
      }
      yield* sql`INSERT INTO openai_keys (key_id, key) VALUES ('primary', 'sk-sandbox-not-a-real-key')`
      yield* sql`INSERT INTO users_credits (user_id, granted, balance)
        SELECT u ->> 'id', (u ->> 'credits')::bigint, (u ->> 'credits')::bigint
        FROM jsonb_array_elements(${JSON.stringify(users)}::text::jsonb) u`
    })
  )
})
