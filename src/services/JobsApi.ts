import { Context, type Duration, type Effect, Schema } from "effect"
import type { Answer } from "../domain/delivery/answer.ts"
import type { AttemptResult } from "../domain/delivery/attempt.ts"

/** A request that delivers one event. */
export interface Delivery {
  /** Path below `API_BASE_URL`, with its leading slash. */
  readonly path: string
  /** The exact bytes that are signed and sent: JSON. */
  readonly body: Uint8Array
  readonly idempotencyKey: string
  /** From 1 on. */
  readonly attempt: number
  /** W3C trace context to send if no span of a tracer provides one. */
  readonly traceparent?: string | undefined
  /** Default POST. */
  readonly method?: string | undefined
  /** Beside those that every delivery has. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** What an answer comes to; default the rule of contract section 4. */
  readonly success?: ((answer: Answer) => AttemptResult) | undefined
  /** Instead of `API_TIMEOUT`. */
  readonly timeout?: Duration.Duration | undefined
}

/** What the configurations endpoint answered. */
export type ConfigurationsAnswer =
  | { readonly _tag: "NotModified" }
  | {
      readonly _tag: "Fetched"
      /** The body as it came; decoding and digest checks are the caller's. */
      readonly body: Uint8Array
      readonly etag: string | undefined
      /** The `Content-Digest` field (RFC 9530), if any. */
      readonly contentDigest: string | undefined
    }

/** The configurations could not be fetched. */
export class JobsApiError extends Schema.TaggedError<JobsApiError>()("JobsApiError", {
  /** As in {@link AttemptResult}: `HTTP_<status>`, `TIMEOUT`, `NETWORK` or `BAD_RESPONSE`. */
  errorCode: Schema.String,
  errorMessage: Schema.String
}) {
  override get message(): string {
    return `${this.errorCode}: ${this.errorMessage}`
  }
}

/** The jobs API: every request signed anew (contract section 4). */
export class JobsApi extends Context.Service<
  JobsApi,
  {
    /** One attempt, at most `API_TIMEOUT` long, or as long as it says itself. Never fails: a failed attempt is a result. */
    readonly deliver: (delivery: Delivery) => Effect.Effect<AttemptResult>
    /** `GET /api/models/configurations`, with `If-None-Match` when an ETag is given. */
    readonly configurations: (etag: string | undefined) => Effect.Effect<ConfigurationsAnswer, JobsApiError>
  }
>()("job-collector/services/JobsApi") {}
