import { Schema } from "effect"

const Identifier = Schema.String.check(Schema.isBetweenCodePoints(1, 128))
const NonEmptyObject = Schema.Record(Schema.String, Schema.Json).check(Schema.isMinProperties(1))
const Tokens = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Instant = Schema.String.check(
  Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/, { expected: "an ISO 8601 time in UTC" }),
  Schema.makeFilter((text: string) => !Number.isNaN(Date.parse(text)) || "must be a time that exists")
)

const common = {
  event_id: Schema.String.check(Schema.isPattern(/^[!-~]{1,128}$/)),
  source: Schema.Struct({ stream: Schema.String, id: Schema.String }),
  user_id: Identifier,
  device_id: Identifier,
  session_id: Identifier,
  started_at: Instant,
  completed_at: Instant,
  metadata: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  metadata_sha256: Schema.optionalKey(Schema.String),
  attributes: Schema.Record(Schema.String, Schema.Json)
}

const inOrder = Schema.makeFilter(
  (job: { readonly started_at: string; readonly completed_at: string }) =>
    Date.parse(job.started_at) <= Date.parse(job.completed_at) || "started_at must not be after completed_at"
)

/** A transcription, charged by the seconds of audio. */
const TranscribeJob = Schema.Struct({
  event_type: Schema.Literal("transcribe"),
  ...common,
  audio_seconds: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 86_400 })),
  model: Schema.optionalKey(Schema.NonEmptyString)
})
  .check(inOrder)
  .annotate({ identifier: "TranscribeJob" })

/** A model's answer, charged by the model's token costs. */
const ProcessJob = Schema.Struct({
  event_type: Schema.Literal("process"),
  ...common,
  model: Schema.NonEmptyString,
  result: Schema.Union([Schema.NonEmptyString, NonEmptyObject]),
  prompt_tokens: Tokens,
  completion_tokens: Tokens,
  total_tokens: Tokens
})
  .check(
    inOrder,
    Schema.makeFilter(
      (job) =>
        job.total_tokens === job.prompt_tokens + job.completion_tokens ||
        "total_tokens must be prompt_tokens + completion_tokens"
    )
  )
  .annotate({ identifier: "ProcessJob" })

/** The body of `POST /api/jobs/add`. */
export const JobRequest = Schema.Union([TranscribeJob, ProcessJob])
export type JobRequest = typeof JobRequest.Type

/** Its answer. */
export const JobAnswer = Schema.Struct({ job_id: Schema.Int, credits_deducted: Schema.Int }).annotate({
  identifier: "JobAnswer"
})
export type JobAnswer = typeof JobAnswer.Type
