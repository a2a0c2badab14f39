/** What ends a running collector by itself, and what waits for one that was stopped is told. */
import { Schema } from "effect"
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import type { StreamTaken } from "./delivery/streamOwner.ts"
import type { TooManyDefects } from "./supervision/supervise.ts"

/** Redis refuses the credentials: waiting will not help. */
export class RedisRefused extends Schema.TaggedError<RedisRefused>()("RedisRefused", { problem: Schema.String }) {
  override get message(): string {
    return `Redis refuses this user: ${this.problem.replace(/\.$/, "")}. Check REDIS_URL, REDIS_PASSWORD_FILE and the user's permissions.`
  }
}

export const refused = (error: EventStreamsError): RedisRefused => new RedisRefused({ problem: error.message })

/** What watches over the collector's loops has itself come to an end: a logger that throws, say. */
export class CollectorDied extends Schema.TaggedError<CollectorDied>()("CollectorDied", { problem: Schema.String }) {
  override get message(): string {
    return `The collector ended by an internal error: ${this.problem}`
  }
}

/** What ends a running collector by itself. */
export type CollectorError = RedisRefused | StreamTaken | TooManyDefects | CollectorDied

/** The collector was stopped before it was ready. */
export class CollectorStopped extends Schema.TaggedError<CollectorStopped>()("CollectorStopped", {}) {
  override get message(): string {
    return "The collector was stopped before it was ready."
  }
}
