/** Where changes of the configuration files are noted: in the audit, which lies in Redis, or nowhere. */
import { Context, Effect } from "effect"

/** A change as the audit has it. */
export interface ConfigChange {
  readonly action: string
  readonly target?: string | undefined
  /** Who made it, where it is not whoever notes it. */
  readonly as?: string | undefined
  readonly why?: string | undefined
}

/** Notes a change that was made. It never fails, and takes a few seconds at most: the files do not depend on Redis. */
export const ConfigAudit = Context.Reference<(change: ConfigChange) => Effect.Effect<void>>(
  "job-collector/services/ConfigAudit",
  { defaultValue: () => () => Effect.void }
)

/** How long noting a change may take. */
export const auditPatience = "3 seconds"
