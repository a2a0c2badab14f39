/** What the console's routes work on. */
import { Context } from "effect"
import type { KnownStreams } from "../domain/options/knownStreams.ts"
import type { Glanced } from "../programs/operator/glance.ts"
import type { RedriveJobs } from "../programs/operator/redriveJobs.ts"
import type { Controlled } from "../programs/traffic/controlTraffic.ts"
import type { ConfigStore } from "../services/ConfigStore.ts"
import type { EventStreams } from "../services/EventStreams.ts"
import type { Guarded } from "./guard.ts"
import type { RecentGlances } from "./recentGlances.ts"

export interface Serving {
  readonly streams: EventStreams["Service"]
  readonly sets: ReadonlyArray<KnownStreams>
  readonly group: string
  readonly guarded: Guarded
  /** The configuration's folder; undefined where the console is not given one. */
  readonly config: ConfigStore["Service"] | undefined
}

export class Served extends Context.Service<
  Served,
  Serving & { readonly jobs: RedriveJobs; readonly glances: RecentGlances }
>()("job-collector/console/Served") {}

/** Whose rules and audit these are. */
export const controlledOf = ({ group, sets, streams }: Serving): Controlled => ({
  streams,
  stream: sets[0]?.transcribe ?? "",
  group
})

/** Whose replicas and streams these are. */
export const glancedOf = (serving: Serving): Glanced => ({ observed: controlledOf(serving), sets: serving.sets })
