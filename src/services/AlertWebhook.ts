import { Context, type Effect, Schema } from "effect"

/** An alert was not taken. `problem` names neither the address nor a secret. */
export class AlertWebhookError extends Schema.TaggedError<AlertWebhookError>()("AlertWebhookError", {
  problem: Schema.String,
  /** The same would be refused again. */
  final: Schema.Boolean
}) {
  override get message(): string {
    return this.problem
  }
}

/** Where alerts are posted, signed as requests to the jobs API are (contract section 8, "Told by itself"). */
export class AlertWebhook extends Context.Service<
  AlertWebhook,
  {
    /** One attempt, 10 seconds long at most. */
    readonly post: (body: Uint8Array) => Effect.Effect<void, AlertWebhookError>
  }
>()("job-collector/services/AlertWebhook") {}
