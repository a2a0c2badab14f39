import { Context, type Duration, type Effect, Schema } from "effect"

/** A request exactly as it goes out: no header is added to it but those of HTTP itself. */
export interface WireRequest {
  readonly method: "GET" | "POST"
  /** Below the API's base URL, with its leading slash. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Sends the body in so many pieces, with a pause before each. */
  readonly slowly?: { readonly pieces: number; readonly pause: Duration.Duration } | undefined
}

export interface WireAnswer {
  readonly status: number
  /** By their names in lower case; of several of one name, the values with commas between them. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  /** Whether it came over a connection that an earlier request had used. */
  readonly reused: boolean
}

/** No whole answer came. */
export class WireError extends Schema.TaggedError<WireError>()("WireError", { problem: Schema.String }) {
  override get message(): string {
    return this.problem
  }
}

/** An API under test, request by request: what a client would tidy up goes out as it is. */
export class ApiWire extends Context.Service<
  ApiWire,
  { readonly send: (request: WireRequest) => Effect.Effect<WireAnswer, WireError> }
>()("job-collector/services/ApiWire") {}
