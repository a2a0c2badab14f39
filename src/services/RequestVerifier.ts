import { Context, type Effect, Schema } from "effect"
import { REFUSALS, type VerifiedRequest } from "../verifier/verdict.ts"
import type { SignedRequest } from "../verifier/verifier.ts"

/** A request that must not be acted on: answer 401. `problem` repeats no header. */
export class RequestRefused extends Schema.TaggedError<RequestRefused>()("RequestRefused", {
  reason: Schema.Literals(REFUSALS),
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.reason}: ${this.problem}`
  }
}

/** A public key that must not be trusted. `problem` names service, key and rule. */
export class TrustedKeysError extends Schema.TaggedError<TrustedKeysError>()("TrustedKeysError", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** Verifies the collector's requests, for those who receive them (contract section 4). */
export class RequestVerifier extends Context.Service<
  RequestVerifier,
  {
    /** Succeeds for a genuine request, at the ambient clock's now; fails with the reason otherwise. */
    readonly verify: (request: SignedRequest | Request) => Effect.Effect<VerifiedRequest, RequestRefused>
  }
>()("job-collector/services/RequestVerifier") {}
