/** Log lines that may come in numbers: one a thing that matters, never a flood. */
import { Effect } from "effect"
import { monotonicMillis } from "../redis/monotonic.ts"
import type { RunRedis } from "./state/collectorRun.ts"

/** Lines of one name a minute; how many more there were stands in the next one's `left_out`. */
const mostAMinute = 50

/** Says one thing of an entry: its name is stable, its annotations say which entry. */
export const logEntry = (
  run: RunRedis,
  name: string,
  log: (message: string) => Effect.Effect<void>,
  annotations: Readonly<Record<string, unknown>>
): Effect.Effect<void> =>
  Effect.flatMap(monotonicMillis, (now) => {
    const may = run.availability.logThrottle.repeated(name, mostAMinute, now)
    if (may === undefined) return Effect.void
    return Effect.annotateLogs(log(name), may.leftOut > 0 ? { ...annotations, left_out: may.leftOut } : annotations)
  })
