/** What the console's routes work on. */
import { Context } from "effect"
import type { StreamSet } from "../domain/options/options.ts"
import type { EventStreams } from "../services/EventStreams.ts"
import type { Guarded } from "./guard.ts"

export interface Serving {
  readonly streams: EventStreams["Service"]
  readonly sets: ReadonlyArray<StreamSet>
  readonly group: string
  readonly guarded: Guarded
}

export class Served extends Context.Service<Served, Serving>()("job-collector/console/Served") {}
