/** The modules whose branches are marks, and the counters of one thread. */
import { readFileSync } from "node:fs"
import { instrument } from "./instrument.ts"

/** Where the decisions that matter are made; each branch of these is a mark. */
const markedFiles = [
  "domain/delivery/decide",
  "domain/delivery/circuit",
  "domain/delivery/circuits",
  "domain/delivery/pauses",
  "domain/delivery/retry",
  "domain/delivery/replayed",
  "domain/gatewayConfig/review",
  "domain/gatewayConfig/state",
  "programs/delivery/acknowledge",
  "programs/delivery/claimIdle",
  "programs/delivery/deliver",
  "programs/delivery/failedAttempts",
  "programs/delivery/groups",
  "programs/delivery/lease",
  "programs/delivery/lostEntries",
  "programs/delivery/pendingRecovery",
  "programs/delivery/refusedSteps",
  "programs/delivery/setBack",
  "programs/delivery/settle",
  "programs/delivery/state/deliveryGate",
  "programs/delivery/state/leftPending",
  "programs/delivery/state/partitions",
  "programs/delivery/state/ramp",
  "programs/delivery/unmadeRequests",
  "programs/gatewayConfig/configPlan",
  "programs/gatewayConfig/configReload",
  "programs/gatewayConfig/configSync",
  "programs/operator/redrive",
  "layers/gatewayConfig/FileConfigStore",
  "layers/gatewayConfig/generations",
  "layers/gatewayConfig/journal",
  "layers/gatewayConfig/links"
] as const

const global = "job-collector/marks"
const root = new URL("../../../src/", import.meta.url).href
const mostMarks = 8_192

/** The sources with their counters in them, by their addresses; and every mark's name, in the order of the counters. */
export const markAll = (): { readonly sources: ReadonlyMap<string, string>; readonly names: ReadonlyArray<string> } => {
  const names: Array<string> = []
  const sources = new Map<string, string>()
  for (const file of markedFiles) {
    const url = `${root}${file}.ts`
    const marked = instrument(readFileSync(new URL(url), "utf8"), file, global, names.length)
    names.push(...marked.names)
    sources.set(url, marked.source)
  }
  return { sources, names }
}

/** Makes the counters of this thread, before the modules that count in them are read. */
export const makeCounters = (): void => {
  Reflect.set(globalThis, Symbol.for(global), new Float64Array(mostMarks))
}

/** How often each mark was reached in this thread since this was asked last. */
export const takeCounts = (): ReadonlyArray<number> => {
  const counters: unknown = Reflect.get(globalThis, Symbol.for(global))
  if (!(counters instanceof Float64Array)) return []
  const counts = [...counters]
  counters.fill(0)
  return counts
}
