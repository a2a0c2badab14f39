/** The configuration's folder, as the console sees and changes it. Every change goes into the audit. */
import { Clock, type Duration, Effect } from "effect"
import { instant } from "../domain/events/instant.ts"
import { acceptVersion, holdInstalls, releaseHold, rollBack } from "../programs/gatewayConfig/configOperations.ts"
import { audit } from "../programs/redis/audit.ts"
import { type ConfigStore, ConfigStoreError } from "../services/ConfigStore.ts"
import { CurrentVisitor } from "./guard.ts"
import { controlledOf, Served } from "./served.ts"

const noFolder =
  "there is no configuration folder here: serve the console where CONFIG_DIR is, with CONSOLE=on beside the service, or " +
  "run job-collector config there"

/** The folder, if there is one where the console runs. */
export const configFolder = Effect.gen(function* (): Effect.fn.Return<
  ConfigStore["Service"],
  ConfigStoreError,
  Served
> {
  const { config } = yield* Served
  if (config === undefined) return yield* new ConfigStoreError({ reason: "NoFolder", problem: noFolder })
  yield* Effect.mapError(config.existing, (error) =>
    error.reason === "NoFolder" ? new ConfigStoreError({ reason: "NoFolder", problem: noFolder }) : error
  )
  return config
})

/** What is decided. */
export type ConfigDecision =
  | { readonly _tag: "Hold"; readonly duration: Duration.Duration | undefined }
  | { readonly _tag: "Release" }
  | { readonly _tag: "RollBack" }
  | { readonly _tag: "Accept"; readonly version: number }

const carryOut = Effect.fnUntraced(function* (decision: ConfigDecision) {
  const store = yield* configFolder
  switch (decision._tag) {
    case "Hold": {
      const { until } = yield* holdInstalls(store, decision.duration)
      return { action: "config hold", target: until === null ? undefined : `until ${instant(until)}` }
    }
    case "Release":
      yield* releaseHold(store)
      return { action: "config hold --off", target: undefined }
    case "RollBack": {
      const { from, to } = yield* rollBack(store)
      return { action: "config rollback", target: `version ${from ?? "?"} → ${to ?? "?"}` }
    }
    case "Accept":
      yield* acceptVersion(store, decision.version)
      return { action: "config accept", target: `version ${decision.version}` }
  }
})

/** Carries a decision out, and notes it: why the audit does not have it, where it does not. */
export const decide = Effect.fnUntraced(function* (decision: ConfigDecision, why: string | undefined) {
  const { action, target } = yield* carryOut(decision)
  const { stream, streams } = controlledOf(yield* Served)
  const at = yield* Clock.currentTimeMillis
  return yield* audit(streams, stream, { at, who: (yield* CurrentVisitor).name ?? "", action, target, why })
})
