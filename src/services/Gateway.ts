import { Context, Effect, Schema } from "effect"

/** The gateway could not be told, or did not follow. `problem` says what and the remedy; no secret, no environment. */
export class GatewayError extends Schema.TaggedError<GatewayError>()("GatewayError", {
  reason: Schema.Literals(["NoProcess", "NotReady", "CommandFailed", "StatusUnreadable"]),
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** The Models Gateway, as far as configuration sync needs it (contract section 7). */
export class Gateway extends Context.Service<
  Gateway,
  {
    /** Whether there is anything to tell. */
    readonly configured: boolean
    /** Fails if the gateway could not be told right now; does not tell it anything. */
    readonly reachable: Effect.Effect<void, GatewayError>
    /** Asks the gateway to load the configuration files again; after two minutes it counts as hanging. */
    readonly reload: Effect.Effect<void, GatewayError>
    /** The configuration version the gateway says it runs; undefined where it reports none. */
    readonly runningVersion: Effect.Effect<number | undefined, GatewayError>
    /** Whether the gateway reports its version at all. */
    readonly reportsVersion: boolean
  }
>()("job-collector/services/Gateway") {
  /** No gateway: nothing is told. */
  static readonly none = Gateway.of({
    configured: false,
    reachable: Effect.void,
    reload: Effect.void,
    runningVersion: Effect.undefined,
    reportsVersion: false
  })
}
