import { Schema } from "effect"

const error_message = Schema.String

/** A request that is not well formed: no retry can mend it. */
export class BadRequest extends Schema.Error<BadRequest>("BadRequest")(
  { error_code: Schema.Literals(["INVALID_REQUEST"]), error_message },
  { httpApiStatus: 400 }
) {}

/** A request that no known service signed just now. */
export class Unauthorized extends Schema.Error<Unauthorized>("Unauthorized")(
  {
    error_code: Schema.Literals([
      "MISSING_HEADER",
      "MALFORMED_HEADER",
      "UNKNOWN_SERVICE",
      "UNKNOWN_KEY",
      "STALE_TIMESTAMP",
      "WRONG_SIGNATURE",
      "REPLAY",
      "UNAUTHORIZED"
    ]),
    error_message
  },
  { httpApiStatus: 401 }
) {}

/** The user's balance does not cover the job; it may after a top-up, so a retry makes sense. */
export class PaymentRequired extends Schema.Error<PaymentRequired>("PaymentRequired")(
  { error_code: Schema.Literals(["INSUFFICIENT_BALANCE"]), error_message },
  { httpApiStatus: 402 }
) {}

/** Well formed, but refused: no retry can mend it. */
export class Unprocessable extends Schema.Error<Unprocessable>("Unprocessable")(
  {
    error_code: Schema.Literals([
      "IDEMPOTENCY_KEY_MISMATCH",
      "EVENT_CONFLICT",
      "UNKNOWN_USER",
      "UNKNOWN_MODEL",
      "UNSTORABLE"
    ]),
    error_message
  },
  { httpApiStatus: 422 }
) {}

/** The database does not answer. */
export class Unavailable extends Schema.Error<Unavailable>("Unavailable")(
  { error_code: Schema.Literals(["DATABASE_UNAVAILABLE"]), error_message },
  { httpApiStatus: 503 }
) {}

export type Refusal = PaymentRequired | Unprocessable | Unavailable
