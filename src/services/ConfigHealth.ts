import { Context, Effect } from "effect"
import type { Check } from "../domain/health.ts"

/** What configuration sync says of itself and of the gateway, for `/health`. */
export interface ConfigChecks {
  readonly config_sync: Check
  readonly gateway: Check
}

const off: ConfigChecks = { config_sync: { status: "off" }, gateway: { status: "off" } }

/** Read for every report; `off` where no configuration sync runs. */
export const ConfigHealth: Context.Reference<Effect.Effect<ConfigChecks>> = Context.Reference(
  "job-collector/services/ConfigHealth",
  { defaultValue: () => Effect.succeed(off) }
)
