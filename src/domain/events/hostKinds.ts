/** What a host app reads beside, or instead of, the built-in kinds: what its command line has to know. */
import { Effect } from "effect"
import type { EventKind } from "./eventKind.ts"

export interface HostKinds {
  /** Whether the two built-in kinds are read as well. */
  readonly builtInKinds: boolean
  /** The app's own. */
  readonly kinds: ReadonlyArray<EventKind>
}

/** The service's: the built-in kinds alone. */
export const builtInAlone: HostKinds = { builtInKinds: true, kinds: [] }

/** A kind whose events are told of and checked, and never requested: it does without what its requests need. */
export const withoutRequests = (kind: EventKind<unknown>): EventKind => ({
  ...kind,
  prepare: (fields, context) => {
    const prepared = kind.prepare(fields, context)
    return Effect.isEffect(prepared) ? Effect.die(`${kind.name} is known here, not delivered`) : prepared
  }
})
