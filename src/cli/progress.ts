/** How far a long command has come, on stderr: over the line before on a terminal, a line now and then elsewhere. */
import { Clock, Effect } from "effect"
import { longSpan } from "../domain/text/relativeTime.ts"
import { counted, printAside, rewriteAside } from "./output.ts"
import { Screen } from "./screen.ts"

/** How often a line is written, in milliseconds: to a terminal, and elsewhere. */
const everyMs = { terminal: 200, elsewhere: 5_000 }

export interface ProgressLine {
  /** Says how much is done, if it is time to. */
  readonly step: (done: number) => Effect.Effect<void>
  /** Clears the line. */
  readonly end: Effect.Effect<void>
}

/** A line such as `replayed 1,200 of 1,937 (61 %), 12s left`; nothing where it does not take long. */
export const progressLine = Effect.fnUntraced(function* (
  what: string,
  total: number | undefined
): Effect.fn.Return<ProgressLine> {
  const screen = yield* Screen
  const began = yield* Clock.currentTimeMillis
  const every = screen.rewrites ? everyMs.terminal : everyMs.elsewhere
  let saidAt = began
  let isShown = false
  const lineOf = (done: number, now: number): string => {
    if (total === undefined || total === 0) return `${what} ${counted(done)} …`
    const share = Math.floor((100 * Math.min(done, total)) / total)
    const left = done === 0 ? undefined : ((now - began) * Math.max(0, total - done)) / done
    return `${what} ${counted(done)} of ${counted(total)} (${share} %)${left === undefined ? "" : `, ${longSpan(left)} left`}`
  }
  return {
    step: (done) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (now < saidAt + every) return Effect.void
        saidAt = now
        const line = lineOf(done, now)
        if (!screen.rewrites) return printAside(line)
        isShown = true
        return rewriteAside(line)
      }),
    end: Effect.suspend(() => {
      if (!isShown) return Effect.void
      isShown = false
      return rewriteAside("")
    })
  }
})
