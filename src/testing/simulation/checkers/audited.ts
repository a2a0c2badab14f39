/** Whoever changes something is in the audit with it. */
import { auditRecordOf } from "../../../domain/audit/auditRecord.ts"
import { auditKey } from "../../../services/EventStreams.ts"
import type { Scene } from "./checker.ts"

/** Faults after which the audit may not say what it said. */
const losing = new Set(["flush", "failover"])

/** Reports a command that has ended well and is not in the audit, by what it did and when it began, by Redis's clock. */
export const mustBeAudited = ({ report, scenario, world }: Scene, action: string, since: number): void => {
  if (scenario.faults.some(({ kind }) => losing.has(kind))) return
  const found = world.redis.look("XRANGE", auditKey(scenario.streams.transcribe), String(Math.floor(since)), "+")
  const entries: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = Array.isArray(found) ? found : []
  if (entries.some(([, fields]) => auditRecordOf(fields)?.action === action)) return
  report("unaudited", `${action} since ${Math.floor(since)}: not among ${entries.length} entries`)
}
