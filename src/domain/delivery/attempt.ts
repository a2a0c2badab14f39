import { Schema } from "effect"

/** What one request to the jobs API came to (contract section 4): data, never an exception. */
export type AttemptResult = Accepted | Failed

/** The event is delivered: what its kind takes for a success. */
export interface Accepted {
  readonly _tag: "Accepted"
  /** Undefined where an event kind of a host app's own asks for none. */
  readonly jobId: string | undefined
  /** What the API says it deducted; absent where a 409 does not say. */
  readonly creditsDeducted: number | undefined
}

/** Everything else. */
export interface Failed {
  readonly _tag: "Failed"
  /** `HTTP_<status>`, `TIMEOUT`, `NETWORK`, `BAD_RESPONSE`, `REQUEST_FAILED`, or a code of a host app's own kind. */
  readonly errorCode: string
  /** At most 1,024 characters; the API's own `error_code: error_message` where it gave them. */
  readonly errorMessage: string
  readonly status: number | undefined
  /** From `Retry-After` (RFC 9110 section 10.2.3), at most 5 minutes, in milliseconds. */
  readonly retryAfterMs: number | undefined
}

/** A failed attempt as an error, for the span of the work on its entry. */
export class DeliveryFailed extends Schema.TaggedError<DeliveryFailed>()("DeliveryFailed", { code: Schema.String }) {
  override get message(): string {
    return this.code
  }
}
