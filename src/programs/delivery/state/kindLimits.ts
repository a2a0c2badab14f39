import type { EventKind } from "../../../domain/events/eventKind.ts"
import type { Rate } from "../../../domain/traffic/rate.ts"
import { ChangeSignal } from "../../redis/changeSignal.ts"
import type { OwnedEntry } from "./ownedEntry.ts"
import { Permits } from "./permits.ts"

/** A kind's own limits: its requests each take one of its permits beside one of all. */
export interface KindLimit {
  readonly kind: EventKind
  readonly permits: Permits
  readonly rate: Rate | undefined
  /** Notified when something waits for one of its permits. */
  readonly waited: ChangeSignal
  /** Held for want of one of its permits, the first that came first; some may have gone on by other ways. */
  readonly waiting: Set<OwnedEntry>
}

/** The limits of those kinds that have any, by the kind's name. */
export const kindLimitsOf = (kinds: Iterable<EventKind>, total: number): ReadonlyMap<string, KindLimit> => {
  const limits = new Map<string, KindLimit>()
  for (const kind of kinds) {
    const { concurrency, rateLimit } = kind
    if (concurrency === undefined && rateLimit === undefined) continue
    const most = Math.min(concurrency ?? total, total)
    const permits = new Permits(most, { most })
    limits.set(kind.name, { kind, permits, rate: rateLimit, waited: new ChangeSignal(), waiting: new Set() })
  }
  return limits
}

/** Gives back the permit that an entry has of its kind, and the token where no request was made. */
export const giveBackToKind = (entry: OwnedEntry): void => {
  const { kindPermits } = entry
  if (kindPermits === undefined) return
  entry.kindPermits = undefined
  kindPermits.release(1, entry.requested ? 0 : 1)
}
