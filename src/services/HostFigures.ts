/** What the process that a collector runs in says of itself, where somebody measures it: `job-collector run` does. */
import { Context } from "effect"

export interface MeasuredHost {
  readonly name: string
  /** User and system time of the process so far. */
  readonly cpuSeconds: () => number
  /** Resident. */
  readonly memoryBytes: () => number
}

export const HostFigures = Context.Reference<MeasuredHost | undefined>("job-collector/services/HostFigures", {
  defaultValue: () => undefined
})
