/** What the console's routes work on. */
import { Context } from "effect"
import type { KnownStreams } from "../domain/options/knownStreams.ts"
import type { RedriveJobs } from "../programs/operator/redriveJobs.ts"
import type { Controlled } from "../programs/traffic/controlTraffic.ts"
import type { EventStreams } from "../services/EventStreams.ts"
import type { Guarded } from "./guard.ts"

export interface Serving {
  readonly streams: EventStreams["Service"]
  readonly sets: ReadonlyArray<KnownStreams>
  readonly group: string
  readonly guarded: Guarded
}

export class Served extends Context.Service<Served, Serving & { readonly jobs: RedriveJobs }>()(
  "job-collector/console/Served"
) {}

/** Whose rules and audit these are. */
export const controlledOf = ({ group, sets, streams }: Serving): Controlled => ({
  streams,
  stream: sets[0]?.transcribe ?? "",
  group
})
