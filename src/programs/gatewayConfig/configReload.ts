/**
 * Tells the gateway that other files are installed, and makes sure that it follows (contract section 7): staged →
 * committed → signalled, and → applied where the gateway reports the version it runs.
 */
import { Clock, Effect } from "effect"
import { afterLeaving } from "../../domain/gatewayConfig/state.ts"
import type { ConfigStore, ConfigStoreError } from "../../services/ConfigStore.ts"
import type { Gateway, GatewayError } from "../../services/Gateway.ts"
import type { ReloadOutcome } from "../../services/Metrics.ts"

/** How long a gateway may take to report the version it was told to load, in milliseconds. */
const GRACE = 30_000
/** How often it is asked meanwhile: soon at first, then every second. */
const FIRST_POLL = 25
const POLL = 1_000

/** What became of telling the gateway. */
export type Reload =
  /** There was nothing to tell, or nobody. */
  | { readonly _tag: "None" }
  | {
      readonly _tag: "Told"
      readonly outcome: Exclude<ReloadOutcome, "failed">
      readonly generation: number
      readonly at: number
    }
  /** Retried at the next tick. */
  | { readonly _tag: "Failed"; readonly generation: number; readonly problem: string }
  /** The gateway did not follow: the last good generation is installed again, the version quarantined. */
  | {
      readonly _tag: "WentBack"
      readonly version: number
      readonly generation: number
      readonly problem: string
      /** How telling it about the earlier generation went. */
      readonly again: "signalled" | "failed"
    }

/** The generation the gateway took up although that could not be written down: it is not told twice. */
export interface Heard {
  generation: number | undefined
}

type Store = ConfigStore["Service"]

/** Whether a generation is installed that the gateway has not taken up. */
export const isPending = (
  generation: number | undefined,
  settled: { readonly generation: number } | undefined
): boolean => generation !== undefined && settled?.generation !== generation

/** What is wrong with a gateway that took up what is installed: it is gone, or runs another version. Tells it nothing. */
export const lookAtGateway = (
  gateway: Gateway["Service"],
  version: number | undefined
): Effect.Effect<string | undefined> =>
  gateway.reachable.pipe(
    Effect.andThen(gateway.reportsVersion && version !== undefined ? gateway.runningVersion : Effect.succeed(version)),
    Effect.map((running) =>
      running === version ? undefined : `the gateway reports version ${running}, not ${version}`
    ),
    Effect.catch((error) => Effect.succeed(error.problem))
  )

/** Waits until the gateway reports a version; undefined once it does, else what it said last. */
const follow = Effect.fnUntraced(function* (
  gateway: Gateway["Service"],
  version: number
): Effect.fn.Return<string | undefined> {
  // By a clock that nobody sets.
  const elapsed = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
  const end = (yield* elapsed) + GRACE
  for (let wait = FIRST_POLL; ; wait = Math.min(POLL, wait * 2)) {
    const problem = yield* gateway.runningVersion.pipe(
      Effect.map((running) => (running === version ? undefined : `the gateway reports version ${running}`)),
      Effect.catch((error: GatewayError) => Effect.succeed(error.problem))
    )
    const left = end - (yield* elapsed)
    if (problem === undefined || left <= 0) return problem
    yield* Effect.sleep(Math.min(wait, left))
  }
})

/** Remembers that the gateway took a generation up, unless another one was installed meanwhile. */
const settle = (store: Store, generation: number, at: number) =>
  store.locked(store.update((state) => ({ ...state, settled: { generation, at } })))

const goBack = Effect.fnUntraced(function* (
  store: Store,
  gateway: Gateway["Service"],
  generation: number,
  version: number,
  problem: string
) {
  const now = yield* Clock.currentTimeMillis
  const back = yield* store.locked(
    Effect.gen(function* () {
      const { generation: current, record, state } = yield* store.read
      const target = state.settled?.generation
      if (current !== generation || target === undefined || target === generation) return undefined
      // The decision is on disk before the files change: a tick after a crash must not install the version again.
      const left = { generation, version, installedAt: record?.installedAt }
      yield* store.update(({ settled: _, ...rest }) => afterLeaving(rest, left, "gateway", now))
      return yield* store.revert(target)
    })
  )
  if (back === undefined) return { _tag: "Failed" as const, generation, problem }
  const again = yield* Effect.result(gateway.reload)
  if (again._tag === "Success") yield* settle(store, back, yield* Clock.currentTimeMillis)
  return {
    _tag: "WentBack" as const,
    version,
    generation: back,
    problem,
    again: again._tag === "Success" ? ("signalled" as const) : ("failed" as const)
  }
})

/** Tells the gateway if it has not taken up what is installed. A failure to tell is a result, retried by calling again. */
export const tellGateway = Effect.fnUntraced(function* (
  store: Store,
  gateway: Gateway["Service"],
  heard: Heard = { generation: undefined }
): Effect.fn.Return<Reload, ConfigStoreError> {
  const { bundle, generation, state } = yield* store.read
  if (generation === undefined || !isPending(generation, state.settled)) return { _tag: "None" }
  if (!gateway.configured || heard.generation === generation) {
    yield* settle(store, generation, yield* Clock.currentTimeMillis)
    return { _tag: "None" }
  }
  heard.generation = undefined
  const told = yield* Effect.result(gateway.reload)
  if (told._tag === "Failure") return { _tag: "Failed", generation, problem: told.failure.problem }
  const at = yield* Clock.currentTimeMillis
  // Adopted files may carry no version to compare.
  const compared = gateway.reportsVersion ? bundle?.version : undefined
  const behind = compared === undefined ? undefined : yield* follow(gateway, compared)
  if (compared === undefined || behind === undefined) {
    heard.generation = generation
    yield* settle(store, generation, at)
    return { _tag: "Told", outcome: compared === undefined ? "signalled" : "applied", generation, at }
  }
  const problem = `version ${compared} was not taken up within ${GRACE / 1_000} s: ${behind}`
  return yield* goBack(store, gateway, generation, compared, problem).pipe(
    Effect.catchIf(
      (error) => error.reason === "NoGeneration",
      () => Effect.succeed({ _tag: "Failed" as const, generation, problem })
    )
  )
})
