/** Finds the few faults that a failure needs: delta debugging (Zeller and Hildebrandt, 2002) over the list of faults. */
import { type SimulateOptions, simulate } from "./simulate.ts"

/** Runs of a world that a shrinking may take. */
const mostTrials = 80

/**
 * The few faults that a failing seed needs: indexes, for `SimulateOptions.faults`, of those that still break `rule`; all of the
 * `faults` many where fewer do not. Runs the world up to 80 times.
 */
export const shrink = (options: SimulateOptions, rule: string, faults: number): ReadonlyArray<number> => {
  let trials = 0
  const breaks = (kept: ReadonlyArray<number>): boolean => {
    trials += 1
    return simulate({ ...options, trace: false, faults: kept, untilRule: rule }).violations.some(
      (violation) => violation.rule === rule
    )
  }
  let kept = options.faults ?? Array.from({ length: faults }, (_, index) => index)
  if (kept.length === 0 || breaks([])) return []
  let parts = 2
  while (kept.length > 1 && trials < mostTrials) {
    const size = Math.ceil(kept.length / parts)
    const without = Array.from({ length: parts }, (_, part) =>
      kept.filter((_fault, at) => at < part * size || at >= (part + 1) * size)
    )
    const fewer = without.find(
      (candidate) => candidate.length < kept.length && trials < mostTrials && breaks(candidate)
    )
    if (fewer !== undefined) {
      kept = fewer
      parts = Math.max(2, parts - 1)
    } else if (parts < kept.length) parts = Math.min(kept.length, 2 * parts)
    else break
  }
  return kept
}
