import { timingSafeEqual } from "node:crypto"
import { readFileSync } from "node:fs"
import { Context, Effect, Layer, Option, Queue, Redacted, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware, HttpApiScalar } from "effect/http-api"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Api, type Ledger } from "./Api.ts"
import { Configurations, noneMatch } from "./Configurations.ts"
import { BadRequest, Unauthorized, Unavailable, Unprocessable } from "./errors.ts"
import { Jobs } from "./Jobs.ts"
import { Operator, WellFormed } from "./middleware.ts"
import { Notifications } from "./Notifications.ts"
import { serviceAuth } from "./serviceAuth.ts"

const unavailable = (error: SqlError) =>
  new Unavailable({ error_code: "DATABASE_UNAVAILABLE", error_message: error.reason._tag })

const JobsHandlers = HttpApiBuilder.group(
  Api,
  "jobs",
  Effect.fn(function* (handlers) {
    const jobs = yield* Jobs
    return handlers.handle(
      "add",
      Effect.fnUntraced(function* ({ payload, headers, request }) {
        // The header is not signed; were it free, who copies a request could have it charged again under another key.
        if (headers["idempotency-key"] !== payload.event_id) {
          return yield* new Unprocessable({
            error_code: "IDEMPOTENCY_KEY_MISMATCH",
            error_message: "Idempotency-Key must equal the body's event_id"
          })
        }
        const added = yield* jobs.add(payload, yield* Effect.orDie(request.text))
        return HttpServerResponse.jsonUnsafe(
          { job_id: added.jobId, credits_deducted: added.creditsDeducted },
          added.replayed ? { headers: { "idempotency-replayed": "true" } } : undefined
        )
      })
    )
  })
)

const ModelsHandlers = HttpApiBuilder.group(
  Api,
  "models",
  Effect.fn(function* (handlers) {
    const configurations = yield* Configurations
    return handlers.handle(
      "configurations",
      Effect.fnUntraced(function* ({ request }) {
        const bundle = yield* configurations.bundle
        const headers = { etag: bundle.etag, "cache-control": "no-cache" }
        const known = request.headers["if-none-match"]
        if (known !== undefined && noneMatch(known, bundle.etag))
          return HttpServerResponse.empty({ status: 304, headers })
        return HttpServerResponse.text(bundle.json, {
          contentType: "application/json",
          headers: { ...headers, "content-digest": bundle.contentDigest }
        })
      })
    )
  })
)

const OperatorHandlers = HttpApiBuilder.group(
  Api,
  "operator",
  Effect.fn(function* (handlers) {
    const sql = yield* SqlClient
    return handlers
      .handle("ledger", () =>
        sql<{ readonly ledger: typeof Ledger.Type }>`SELECT json_build_object(
          'jobs', (SELECT count(*) FROM jobs),
          'idempotency_records', (SELECT count(*) FROM idempotency_records),
          'credits_of_jobs', (SELECT coalesce(sum(credits), 0) FROM jobs),
          'credits_charged', (SELECT coalesce(sum(granted - balance), 0) FROM users_credits),
          'configuration_version', (SELECT version FROM configuration_version)
        ) AS ledger`.pipe(
          Effect.map(([row]) => row!.ledger),
          Effect.mapError(unavailable)
        )
      )
      .handle("setCosts", ({ params, payload }) =>
        sql<{ readonly version: number }>`
          UPDATE ai_models_costs SET input = ${payload.input}, output = ${payload.output}
          WHERE model_id = ${params.model} RETURNING model_id
        `.pipe(
          Effect.tap((rows) =>
            rows.length > 0
              ? Effect.void
              : Effect.fail(
                  new Unprocessable({ error_code: "UNKNOWN_MODEL", error_message: `there is no model ${params.model}` })
                )
          ),
          Effect.andThen(sql<{ readonly version: number }>`SELECT version FROM configuration_version`),
          Effect.map(([row]) => ({ version: row!.version })),
          Effect.catchTag("SqlError", (error) => Effect.fail(unavailable(error)))
        )
      )
      .handle("grant", ({ params, payload }) =>
        sql<{ readonly balance: bigint }>`
          INSERT INTO users_credits AS u (user_id, granted, balance)
          VALUES (${params.user}, ${payload.credits}, ${payload.credits})
          ON CONFLICT (user_id) DO UPDATE
          SET granted = u.granted + excluded.granted, balance = u.balance + excluded.balance
          RETURNING balance
        `.pipe(
          Effect.map(([row]) => ({ balance: Number(row!.balance) })),
          Effect.mapError(unavailable)
        )
      )
  })
)

const HealthHandlers = HttpApiBuilder.group(
  Api,
  "health",
  Effect.fn(function* (handlers) {
    const sql = yield* SqlClient
    return handlers.handle("health", () =>
      sql`SELECT 1`.pipe(Effect.as({ status: "ok" } as const), Effect.mapError(unavailable))
    )
  })
)

const wellFormed = HttpApiMiddleware.layerSchemaErrorTransform(WellFormed, (error) =>
  Effect.fail(
    new BadRequest({
      error_code: "INVALID_REQUEST",
      error_message: `${error.kind}: ${error.cause.message}`.slice(0, 500)
    })
  )
)

/** The operator's token, if the operator's endpoints are on. */
export class OperatorToken extends Context.Service<OperatorToken, Option.Option<Redacted.Redacted>>()(
  "sandbox/api/OperatorToken"
) {}

const operator = Layer.effect(
  Operator,
  Effect.map(OperatorToken, (token) => ({
    token: (effect, { credential }) => {
      const given = Buffer.from(Redacted.value(credential))
      const wanted = Buffer.from(Option.match(token, { onNone: () => "", onSome: Redacted.value }))
      return wanted.length > 0 && given.length === wanted.length && timingSafeEqual(given, wanted)
        ? effect
        : Effect.fail(new Unauthorized({ error_code: "UNAUTHORIZED", error_message: "the operator's token is needed" }))
    }
  }))
)

const Listener = Schema.Struct({
  user_id: Schema.NonEmptyString,
  after: Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)))
})

/**
 * `GET /ws?user_id=…[&after=…]`: `{"type":"job_created","job_id":…}` for each of the user's jobs once, in order, after
 * its commit. A client that reconnects gives the last id it saw as `after` and misses none. (Who may listen to whom is a
 * matter of the users' own sign-in, which is no part of this API.)
 */
const WebSocketRoute = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const jobs = yield* Jobs
    const notifications = yield* Notifications
    const listen = Effect.gen(function* () {
      const { user_id, after } = yield* HttpServerRequest.schemaSearchParams(Listener)
      const request = yield* HttpServerRequest.HttpServerRequest
      // Listening comes first, so that no job falls between what is read from the table and what is heard.
      const queue = yield* notifications.listen(user_id)
      const missed = after === undefined ? [] : yield* jobs.createdAfter(user_id, after)
      const socket = yield* request.upgrade
      const reader = yield* socket.reader
      const writer = yield* socket.writer
      let last = after ?? 0
      const send = (ids: ReadonlyArray<number>) =>
        Effect.forEach(
          ids,
          (id) => {
            if (id <= last) return Effect.void
            last = id
            return writer.write(JSON.stringify({ type: "job_created", job_id: id }))
          },
          { discard: true }
        )
      yield* send(missed)
      // Ends with the socket: the client says nothing, so its next word is its farewell.
      return yield* Queue.takeAll(queue).pipe(
        Effect.flatMap(send),
        Effect.forever,
        Effect.raceFirst(Effect.forever(reader.pull))
      )
    }).pipe(
      Effect.catchTags({
        SchemaError: (error) =>
          HttpServerResponse.json({ error_code: "INVALID_REQUEST", error_message: error.message }, { status: 400 }),
        SocketError: () => Effect.succeed(HttpServerResponse.empty())
      })
    )
    yield* router.add("GET", "/ws", listen)
  })
)

const contract = readFileSync(new URL("../../schemas/openapi.json", import.meta.url), "utf8")

/** The contract's description of a jobs API; what this one does beside is in `/docs`. */
const OpenApiRoute = HttpRouter.add(
  "GET",
  "/openapi.json",
  HttpServerResponse.text(contract, { contentType: "application/json" })
)

/** Every route of the API, with the contract's description at `/openapi.json` and its own documentation at `/docs`. */
export const routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api),
  OpenApiRoute,
  HttpApiScalar.layer(Api, { path: "/docs" }),
  WebSocketRoute
).pipe(
  Layer.provide([JobsHandlers, ModelsHandlers, OperatorHandlers, HealthHandlers]),
  Layer.provide([wellFormed, operator, serviceAuth]),
  Layer.provide([Jobs.layer, Configurations.layer]),
  Layer.provide(Notifications.layer)
)
