/** The admin API (contract section 10): what there is to ask, of which the OpenAPI document is made as well. */
import { Schema } from "effect"
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiError,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity,
  OpenApi
} from "effect/http-api"
import { failedActions } from "../../programs/operator/actOnFailed.ts"
import { groupings } from "../../programs/operator/groups.ts"
import * as Answers from "./answers.ts"
import * as Configuration from "./configurationAnswers.ts"
import * as Status from "./statusAnswers.ts"

const type = "about:blank"

/** Something in the request cannot be meant, or names what is not there. */
export class CannotBeMeant extends HttpApiError.Problem<CannotBeMeant>()("CannotBeMeant", {
  type,
  status: 400,
  title: "Bad request"
}) {}
export class NotKnown extends HttpApiError.Problem<NotKnown>()("NotKnown", { type, status: 404, title: "Not found" }) {}
export class Conflict extends HttpApiError.Problem<Conflict>()("Conflict", { type, status: 409, title: "Conflict" }) {}
/** Redis is away or refuses, or it takes too long. */
export class NotAvailable extends HttpApiError.Problem<NotAvailable>()("NotAvailable", {
  type,
  status: 503,
  title: "Not available"
}) {}

class NotSignedIn extends HttpApiError.Problem<NotSignedIn>()("NotSignedIn", {
  type,
  status: 401,
  title: "Sign in first"
}) {}
class NotAllowed extends HttpApiError.Problem<NotAllowed>()("NotAllowed", {
  type,
  status: 403,
  title: "Not allowed"
}) {}

/** Says in the document what the console's guard has seen to by then. */
export class Guarded extends HttpApiMiddleware.Service<Guarded>()("job-collector/console/Guarded", {
  error: [NotSignedIn, NotAllowed],
  security: { bearer: HttpApiSecurity.bearer }
}) {}

const texts = Schema.optionalKey(Schema.ArrayEnsure(Schema.String))
const text = Schema.optionalKey(Schema.String)

/** The filters of "Selecting and acting": values of one are alternatives; different ones must all hold. */
const filterQuery = {
  id: texts,
  event_id: texts,
  reason: texts,
  error_code: texts,
  message: texts,
  stream: texts,
  user: texts,
  model: texts,
  session: texts,
  where: texts,
  since: text,
  until: text,
  older_than: text,
  newer_than: text
}

const FilterBody = Schema.Struct({
  id: Schema.optionalKey(Schema.Array(Schema.String)),
  event_id: Schema.optionalKey(Schema.Array(Schema.String)),
  reason: Schema.optionalKey(Schema.Array(Schema.String)),
  error_code: Schema.optionalKey(Schema.Array(Schema.String)),
  message: Schema.optionalKey(Schema.Array(Schema.String)),
  stream: Schema.optionalKey(Schema.Array(Schema.String)),
  user: Schema.optionalKey(Schema.Array(Schema.String)),
  model: Schema.optionalKey(Schema.Array(Schema.String)),
  session: Schema.optionalKey(Schema.Array(Schema.String)),
  where: Schema.optionalKey(Schema.Array(Schema.String)),
  since: text,
  until: text,
  older_than: text,
  newer_than: text
})

const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const wholeText = (minimum: number, maximum: number) =>
  Schema.NumberFromString.pipe(Schema.decodeTo(whole(minimum, maximum)))

/** How far a request may look, in entries. */
const look = Schema.optionalKey(wholeText(1, 200_000))

const pageQuery = {
  ...filterQuery,
  cursor: text,
  limit: Schema.optionalKey(wholeText(1, 200)),
  look
}

const failures = [CannotBeMeant, NotAvailable] as const

const reading = HttpApiGroup.make("reading").add(
  HttpApiEndpoint.get("overview", "/overview", { success: Status.Overview, error: NotAvailable }),
  HttpApiEndpoint.get("replicas", "/replicas", { success: Status.Replicas, error: NotAvailable }),
  HttpApiEndpoint.get("streams", "/streams", { success: Status.Streams, error: NotAvailable }),
  HttpApiEndpoint.get("minutes", "/minutes", {
    query: { since: text },
    success: Status.Minutes,
    error: failures
  }),
  HttpApiEndpoint.get("groups", "/groups", {
    query: {
      ...filterQuery,
      place: Schema.Literals(["dlq", "abandoned"]),
      by: Schema.optionalKey(Schema.Literals(groupings)),
      look
    },
    success: Answers.Groups,
    error: failures
  }),
  HttpApiEndpoint.get("dlq", "/dlq", { query: pageQuery, success: Answers.EntryPage, error: failures }),
  HttpApiEndpoint.get("abandoned", "/abandoned", { query: pageQuery, success: Answers.EntryPage, error: failures }),
  HttpApiEndpoint.get("event", "/events/:event_id", {
    params: { event_id: Schema.String },
    query: { within: text, stream: text, id: text },
    success: Answers.Story,
    error: failures
  }),
  HttpApiEndpoint.get("rules", "/rules", { success: Answers.Rules, error: failures }),
  HttpApiEndpoint.get("audit", "/audit", {
    query: { cursor: text, limit: Schema.optionalKey(wholeText(1, 200)) },
    success: Answers.AuditPage,
    error: failures
  }),
  HttpApiEndpoint.get("jobs", "/jobs", { success: Schema.Array(Answers.Job) }),
  HttpApiEndpoint.get("job", "/jobs/:id", {
    params: { id: Schema.String },
    success: Answers.Job,
    error: NotKnown
  }),
  HttpApiEndpoint.get("live", "/live", { success: HttpApiSchema.StreamSse({ data: Status.Overview }) })
)

const reason = { why: Schema.optionalKey(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(500))) }

export const RuleBody = Schema.Struct({
  kind: Schema.Literals(["pause", "limit", "park"]),
  /** Of a limit: `200 per second`. */
  rate: text,
  /** Of a park: the field and the value of a partition. */
  field: text,
  value: text,
  /** How long, such as `10m`; without it until it is lifted. */
  duration: text,
  ...reason
})

export const JobBody = Schema.Struct({
  action: Schema.Literals(failedActions),
  filters: Schema.optionalKey(FilterBody),
  all: Schema.optionalKey(Schema.Boolean),
  limit: Schema.optionalKey(whole(1, Number.MAX_SAFE_INTEGER)),
  rate: Schema.optionalKey(whole(1, 100_000)),
  dry_run: Schema.optionalKey(Schema.Boolean),
  ...reason
})

export const ExportBody = Schema.Struct({
  place: Schema.Literals(["dlq", "abandoned"]),
  filters: Schema.optionalKey(FilterBody),
  ...reason
})

/** Of the configuration: whole numbers, as `config diff` has them. */
const generation = Schema.optionalKey(wholeText(0, Number.MAX_SAFE_INTEGER))

const configuration = HttpApiGroup.make("configuration").add(
  HttpApiEndpoint.get("status", "/configuration", {
    success: Configuration.Status,
    error: [NotKnown, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.get("history", "/configuration/history", {
    success: Configuration.History,
    error: [NotKnown, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.get("diff", "/configuration/diff", {
    query: { from: generation, to: generation },
    success: Configuration.Difference,
    error: [NotKnown, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.post("hold", "/configuration/hold", {
    /** How long, such as `30m`, without it until released; `off` releases. */
    payload: Schema.Struct({ duration: text, off: Schema.optionalKey(Schema.Boolean), ...reason }),
    success: Configuration.Decided,
    error: [CannotBeMeant, NotKnown, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.post("rollback", "/configuration/rollback", {
    payload: Schema.Struct(reason),
    success: Configuration.Decided,
    error: [NotKnown, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.post("accept", "/configuration/accept", {
    payload: Schema.Struct({ version: whole(1, Number.MAX_SAFE_INTEGER), ...reason }),
    success: Configuration.Decided,
    error: [NotKnown, Conflict, NotAvailable]
  })
)

const acting = HttpApiGroup.make("acting").add(
  HttpApiEndpoint.post("setRule", "/rules", {
    payload: RuleBody,
    success: Answers.Changed,
    error: [CannotBeMeant, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.post("liftRule", "/rules/lift", {
    payload: RuleBody,
    success: Answers.Changed,
    error: [CannotBeMeant, Conflict, NotAvailable]
  }),
  /** Open circuits, the API's and those of partitions, are probed at once. */
  HttpApiEndpoint.post("probe", "/circuits/probe", {
    payload: Schema.Struct(reason),
    success: Answers.Changed,
    error: [CannotBeMeant, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.post("startJob", "/jobs", {
    headers: { "idempotency-key": Schema.optionalKey(Schema.String.check(Schema.isMaxLength(128))) },
    payload: JobBody,
    success: [Answers.Job.pipe(HttpApiSchema.status(201)), Answers.Rehearsal.pipe(HttpApiSchema.status(200))],
    error: [CannotBeMeant, Conflict, NotAvailable]
  }),
  /** Lines as `import` takes them; a job while it lasts, and noted in the audit: it takes out what events carry. */
  HttpApiEndpoint.post("export", "/exports", {
    payload: ExportBody,
    success: HttpApiSchema.StreamUint8Array({ contentType: "application/x-ndjson" }),
    error: [CannotBeMeant, Conflict, NotAvailable]
  }),
  HttpApiEndpoint.post("cancelJob", "/jobs/:id/cancel", {
    params: { id: Schema.String },
    success: Answers.Job,
    error: NotKnown
  })
)

export const Api = HttpApi.make("admin")
  .add(reading.prefix("/api/v1"), acting.prefix("/api/v1"), configuration.prefix("/api/v1"))
  .middleware(Guarded)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotate(OpenApi.Title, "job-collector admin API")
  .annotate(OpenApi.Version, "1")
