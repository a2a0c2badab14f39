/** The overview, with what came in since the console looked before. */
import { Clock, Effect } from "effect"
import { overview } from "../programs/operator/overview.ts"
import { glancedOf, Served } from "./served.ts"

/** The overview of now, with the minutes of the last `spanMs`. */
export const overviewNow = Effect.fnUntraced(function* (spanMs: number) {
  const served = yield* Served
  const seen = yield* overview(glancedOf(served), spanMs, served.glances.before(yield* Clock.currentTimeMillis))
  served.glances.note(seen)
  return seen
})
