import { Context } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import { BadRequest, Unauthorized } from "./errors.ts"

/** The service that signed the request. */
export class SignedBy extends Context.Service<SignedBy, { readonly serviceId: string }>()("sandbox/api/SignedBy") {}

/** Lets through what a known service signed a moment ago. */
export class ServiceAuth extends HttpApiMiddleware.Service<ServiceAuth, { provides: SignedBy }>()(
  "sandbox/api/ServiceAuth",
  { error: Unauthorized }
) {}

/** Lets through who knows the operator's token. */
export class Operator extends HttpApiMiddleware.Service<Operator>()("sandbox/api/Operator", {
  error: Unauthorized,
  security: { token: HttpApiSecurity.bearer }
}) {}

/** Answers requests that do not decode in the shape of all other errors. */
export class WellFormed extends HttpApiMiddleware.Service<WellFormed>()("sandbox/api/WellFormed", {
  error: BadRequest
}) {}
