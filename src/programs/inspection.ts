/**
 * A window into a running collector for the simulated world, whose checkers look at what it owns. Not for host apps: they
 * have its health, its metrics and what stands in Redis.
 */
import { Context } from "effect"
import type { CollectorRun } from "./delivery/state/collectorRun.ts"

/** The present run; undefined before Redis first answered, and between two runs. */
export type LookAtRun = () => CollectorRun | undefined

/** Whoever provides this is given the window when a collector starts. */
export const CollectorInspection = Context.Reference<(look: LookAtRun) => void>("job-collector/CollectorInspection", {
  defaultValue: () => () => {}
})
