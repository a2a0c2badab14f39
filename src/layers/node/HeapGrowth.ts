/**
 * Keeps the service below 200 MB: by itself V8 lets it grow to some 400 MB, of which it needs 50. Its limit for young
 * objects is read once, when a process starts; how fast their space may grow is asked each time it would.
 */
import { PerformanceObserver } from "node:perf_hooks"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"

/** Both halves of the space for young objects. */
const maxYoungBytes = 32 * 1024 * 1024

const growYoungBy = (factor: 1 | 2) => setFlagsFromString(`--semi-space-growth-factor=${factor}`)

/** Old objects are looked through when they have grown by a fifth; young ones stay where they are until all is loaded. */
export const slowGrowth = (): void => {
  setFlagsFromString("--heap-growing-percent=20")
  growYoungBy(1)
}

/** Lets the space for young objects grow to its limit, and again after an idle time in which it shrank. */
export const limitYoungSpace = (): void => {
  let factor: 1 | 2 = 1
  const adjust = () => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")
    const wanted = (young?.space_size ?? 0) < maxYoungBytes ? 2 : 1
    if (wanted === factor) return
    factor = wanted
    growYoungBy(factor)
  }
  adjust()
  new PerformanceObserver(adjust).observe({ entryTypes: ["gc"] })
}
