import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { BadRequest, PaymentRequired, Unavailable, Unprocessable } from "./errors.ts"
import { JobAnswer, JobRequest } from "./JobRequest.ts"
import { Operator, ServiceAuth, WellFormed } from "./middleware.ts"

/** Jobs: what the collector delivers. */
class JobsGroup extends HttpApiGroup.make("jobs")
  .add(
    HttpApiEndpoint.post("add", "/jobs/add", {
      headers: { "idempotency-key": Schema.String },
      payload: JobRequest,
      success: JobAnswer,
      error: [BadRequest, PaymentRequired, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Add a job",
        description: `Charges the user, stores the job and records the answer, in one transaction. The event is the
deduplication key: the same event again is answered the same (\`Idempotency-Replayed: true\`) and charges nothing; the
\`Idempotency-Key\` header must equal the signed body's \`event_id\`.`
      })
    )
  )
  .middleware(WellFormed)
  .middleware(ServiceAuth) {}

/** Configurations: what the collector hands to the Models Gateway. */
class ModelsGroup extends HttpApiGroup.make("models")
  .add(
    HttpApiEndpoint.get("configurations", "/models/configurations", {
      success: Schema.Struct({
        version: Schema.Int,
        openai_keys: Schema.Array(Schema.Struct({ id: Schema.String, key: Schema.String })),
        model_configs: Schema.Array(
          Schema.Struct({
            id: Schema.String,
            provider: Schema.String,
            enabled: Schema.Boolean,
            rules: Schema.Record(Schema.String, Schema.Json),
            costs: Schema.Struct({ input: Schema.Finite, output: Schema.Finite })
          })
        ),
        rate_limits: Schema.Array(
          Schema.Struct({
            model: Schema.String,
            requests_per_minute: Schema.Int,
            tokens_per_minute: Schema.Int
          })
        )
      }),
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({
        summary: "The gateway's configuration",
        description: "With `ETag` and `Content-Digest`; 304 where `If-None-Match` names the present version."
      })
    )
  )
  .middleware(ServiceAuth) {}

/** Totals that must agree with each other whatever happened. */
export const Ledger = Schema.Struct({
  jobs: Schema.Int,
  idempotency_records: Schema.Int,
  credits_of_jobs: Schema.Int,
  credits_charged: Schema.Int,
  configuration_version: Schema.Int
})

/** What an operator does: look at the totals, change a price, grant credits. Off unless a token is configured. */
class OperatorGroup extends HttpApiGroup.make("operator")
  .add(
    HttpApiEndpoint.get("ledger", "/operator/ledger", { success: Ledger, error: Unavailable }),
    HttpApiEndpoint.put("setCosts", "/operator/models/:model/costs", {
      params: { model: Schema.String },
      payload: Schema.Struct({
        input: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)),
        output: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
      }),
      success: Schema.Struct({ version: Schema.Int }),
      error: [BadRequest, Unprocessable, Unavailable]
    }),
    HttpApiEndpoint.post("grant", "/operator/users/:user/credits", {
      params: { user: Schema.String },
      payload: Schema.Struct({ credits: Schema.Int.check(Schema.isGreaterThan(0)) }),
      success: Schema.Struct({ balance: Schema.Int }),
      error: [BadRequest, Unavailable]
    })
  )
  .middleware(WellFormed)
  .middleware(Operator) {}

/** Health needs no signature. */
class HealthGroup extends HttpApiGroup.make("health", { topLevel: true }).add(
  HttpApiEndpoint.get("health", "/health", {
    success: Schema.Struct({ status: Schema.Literal("ok") }),
    error: Unavailable
  }).annotateMerge(OpenApi.annotations({ summary: "Whether the database answers" }))
) {}

export class Api extends HttpApi.make("jobs-api")
  .add(JobsGroup)
  .add(ModelsGroup)
  .add(OperatorGroup)
  .add(HealthGroup)
  .prefix("/api")
  .annotateMerge(
    OpenApi.annotations({
      title: "Reference jobs API",
      version: "1",
      description: `The API that job-collector speaks to, as an example for authors of one. A service signs every request:
\`Authorization: Ed25519 {timestamp}:{signature}\` over \`v1\\n{timestamp}\\n{hex SHA-256 of the body}\\n{service id}\`, its
id in \`X-Service-Id\`. New jobs are announced on the WebSocket \`/ws?user_id=…\` as \`{"type":"job_created","job_id":…}\`.`
    })
  ) {}
