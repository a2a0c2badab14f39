/** The admin API's answers on the configuration. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { typedDurationOf } from "../../domain/options/duration.ts"
import {
  configurationDiff,
  configurationHistory,
  configurationStatus
} from "../../programs/gatewayConfig/configOperations.ts"
import type { ConfigStoreError } from "../../services/ConfigStore.ts"
import { type ConfigDecision, configFolder, decide } from "../configuration.ts"
import type { Served } from "../served.ts"
import { Api, CannotBeMeant, Conflict, NotAvailable, NotKnown } from "./definition.ts"

const told = <A>(effect: Effect.Effect<A, ConfigStoreError, Served>) =>
  Effect.mapError(effect, ({ message, reason }) => {
    if (reason === "NoFolder") return new NotKnown({ detail: message })
    return reason === "NoGeneration" ? new Conflict({ detail: message }) : new NotAvailable({ detail: message })
  })

const decided = (decision: ConfigDecision, why: string | undefined) =>
  told(
    Effect.gen(function* () {
      const unaudited = yield* decide(decision, why)
      return { status: yield* configurationStatus(yield* configFolder), unaudited: unaudited?.message ?? null }
    })
  )

export const configuration = HttpApiBuilder.group(Api, "configuration", (handlers) =>
  handlers
    .handle("status", () => told(Effect.flatMap(configFolder, configurationStatus)))
    .handle("history", () => told(Effect.flatMap(configFolder, configurationHistory)))
    .handle("diff", ({ query: { from, to } }) =>
      told(Effect.flatMap(configFolder, (store) => configurationDiff(store, { from, to })))
    )
    .handle("hold", ({ payload: { duration, off = false, why } }) => {
      if (off) return decided({ _tag: "Release" }, why)
      const span = duration === undefined ? undefined : typedDurationOf(duration)
      return duration !== undefined && span === undefined
        ? Effect.fail(new CannotBeMeant({ detail: 'duration: must be a duration such as 30m or "30 minutes"' }))
        : decided({ _tag: "Hold", duration: span }, why)
    })
    .handle("rollback", ({ payload: { why } }) => decided({ _tag: "RollBack" }, why))
    .handle("accept", ({ payload: { version, why } }) => decided({ _tag: "Accept", version }, why))
)
