/** A stop that something holds up ends the process all the same. */
import { Duration, Effect } from "effect"

/** How long the rest of a stop may take after `SHUTDOWN_TIMEOUT`: releasing entries, the last telemetry. */
const stopGrace = Duration.seconds(10)

/** When a stop begins: at a signal, whatever the service is doing just then. */
export const stopSignal = Effect.callback<void>((resume) => {
  const stop = () => resume(Effect.void)
  process.once("SIGTERM", stop).once("SIGINT", stop)
  return Effect.sync(() => process.off("SIGTERM", stop).off("SIGINT", stop))
})

export interface StopDeadline {
  readonly shutdownTimeout: Duration.Duration
  /** What has not ended yet. */
  readonly unfinished: () => ReadonlyArray<string>
  /** Ends the process. */
  readonly end: Effect.Effect<void>
}

/** Once a stop begins it has `SHUTDOWN_TIMEOUT` and {@link stopGrace}; then the process ends, and says what hung. */
export const stopDeadline = Effect.fnUntraced(function* (
  begins: Effect.Effect<void>,
  { end, shutdownTimeout, unfinished }: StopDeadline
) {
  yield* begins
  const limit = Duration.sum(shutdownTimeout, stopGrace)
  yield* Effect.sleep(limit)
  yield* Effect.logError("stop.hung").pipe(
    Effect.annotateLogs({ unfinished: unfinished(), limit_ms: Duration.toMillis(limit) })
  )
  yield* end
})
