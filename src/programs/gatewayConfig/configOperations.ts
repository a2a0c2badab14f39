/**
 * What operators see and decide of the configuration (contract section 7): the same for the commands and the console. They run
 * beside the service: the files are changed under its lock, and its next tick respects what was decided.
 */
import { Clock, Duration, Effect, Result } from "effect"
import { instant } from "../../domain/events/instant.ts"
import type { Bundle } from "../../domain/gatewayConfig/bundle.ts"
import { type Diff, diff } from "../../domain/gatewayConfig/diff.ts"
import { bundleOfFiles } from "../../domain/gatewayConfig/files.ts"
import { Secrets } from "../../domain/gatewayConfig/redact.ts"
import { afterLeaving, type ConfigState, contentsOfRecord, isHeld } from "../../domain/gatewayConfig/state.ts"
import { type ConfigStore, ConfigStoreError, type GenerationSummary } from "../../services/ConfigStore.ts"
import { isPending } from "./configReload.ts"

type Store = ConfigStore["Service"]

export const noGeneration = (problem: string) => new ConfigStoreError({ reason: "NoGeneration", problem })

/** What is decided, as the answers have it. */
const decisions = (state: ConfigState, now: number) => ({
  held: isHeld(state, now),
  held_until: isHeld(state, now) && typeof state.hold?.until === "number" ? instant(state.hold.until) : null,
  kept_out: state.keptOut === undefined ? null : { up_to_version: state.keptOut.version, cause: state.keptOut.cause },
  accepted_version: state.accepted?.version ?? null
})

/** What is installed, what was decided, and how the files differ from what was installed. No secret is in it. */
export const configurationStatus = Effect.fnUntraced(function* (store: Store) {
  const { bundle, drift, generation, record, state } = yield* store.read
  const now = yield* Clock.currentTimeMillis
  const secrets = new Secrets(bundle)
  const idsOf = (list: "openai_keys" | "model_configs") =>
    bundle?.[list].map((entry) => secrets.name(String(entry.id))) ?? []
  return {
    version: bundle?.version ?? null,
    generation: generation ?? null,
    installed_at: record === undefined ? null : instant(record.installedAt),
    reason: record?.reason ?? null,
    keys: idsOf("openai_keys"),
    models: idsOf("model_configs"),
    rate_limits: bundle?.rate_limits.length ?? 0,
    reload_pending: isPending(generation, state.settled),
    drift,
    ...decisions(state, now)
  }
})

/** The kept generations and those that were gone back from, newest first. */
export const configurationHistory = Effect.fnUntraced(function* (store: Store) {
  const { state } = yield* store.read
  const generations = yield* store.history
  const leftOf = new Map((state.left ?? []).map((left) => [left.generation, left]))
  const kept = generations.map(({ current, generation, record }) => {
    const left = current ? undefined : leftOf.get(generation)
    return {
      generation,
      version: record?.version ?? null,
      installed_at: record === undefined ? null : instant(record.installedAt),
      reason: record?.reason ?? null,
      goes_back_to: record?.parent ?? null,
      current,
      kept: true,
      left_at: left === undefined ? null : instant(left.at),
      left_by: left?.cause ?? null
    }
  })
  const numbers = new Set(kept.map((row) => row.generation))
  const gone = [...leftOf.values()].filter(({ generation }) => !numbers.has(generation))
  return [
    ...kept,
    ...gone.map(({ at, cause, generation, installedAt, version }) => ({
      generation,
      version,
      installed_at: installedAt === null ? null : instant(installedAt),
      reason: null,
      goes_back_to: null,
      current: false,
      kept: false,
      left_at: instant(at),
      left_by: cause
    }))
  ].sort((a, b) => b.generation - a.generation)
})

const bundleOfGeneration = (generations: ReadonlyArray<GenerationSummary>, generation: number) => {
  const record = generations.find((kept) => kept.generation === generation)?.record
  const bundle = record === undefined ? undefined : Result.getOrUndefined(bundleOfFiles(contentsOfRecord(record)))
  return bundle === undefined
    ? Effect.fail(noGeneration(`generation ${generation} is not kept, or holds no bundle: see "config history"`))
    : Effect.succeed(bundle)
}

/** What differs between two versions. */
export interface VersionDiff extends Diff {
  readonly from: number
  readonly to: number
}

const between = (before: Bundle, after: Bundle): VersionDiff => ({
  from: before.version,
  to: after.version,
  ...diff(before, after)
})

/** The generations that are compared; without one the one before the installed one, and the installed one. */
export interface Compared {
  readonly from: number | undefined
  readonly to: number | undefined
}

/** What differs between two generations. No secret is in it. */
export const configurationDiff = Effect.fnUntraced(function* (store: Store, compared: Compared) {
  const { bundle, generation, record, state } = yield* store.read
  const generations = yield* store.history
  // After a rollback that is the one it left.
  const left = generations.find((kept) => kept.generation === state.keptOut?.generation && !kept.current)
  const from = compared.from ?? left?.generation ?? record?.parent ?? undefined
  const named = (wanted: number | undefined) =>
    wanted === undefined || wanted === generation
      ? bundle === undefined
        ? Effect.fail(noGeneration("no configuration is installed"))
        : Effect.succeed(bundle)
      : bundleOfGeneration(generations, wanted)
  if (from === undefined) {
    return yield* noGeneration("there is no earlier generation to compare with: name one")
  }
  return between(yield* named(from), yield* named(compared.to))
})

/** What differs between a generation, or what is installed, and another bundle. */
export const diffWith = Effect.fnUntraced(function* (store: Store, from: number | undefined, other: Bundle) {
  const { bundle, generation } = yield* store.read
  if (from !== undefined && from !== generation)
    return between(yield* bundleOfGeneration(yield* store.history, from), other)
  return bundle === undefined ? yield* noGeneration("no configuration is installed") : between(bundle, other)
})

/** Goes back to the generation before the installed one; the version that is left stays out until a higher one arrives. */
export const rollBack = Effect.fnUntraced(function* (store: Store) {
  yield* store.existing
  yield* store.recover
  return yield* store.locked(
    Effect.gen(function* () {
      const { bundle, generation, record } = yield* store.read
      const parent = record?.parent ?? undefined
      if (generation === undefined || parent === undefined) {
        return yield* noGeneration('there is no earlier generation to go back to: see "config history"')
      }
      const left = bundle?.version ?? record?.version ?? undefined
      const at = yield* Clock.currentTimeMillis
      // Written before the files change: a tick in between must not install the version again.
      const leaving = { generation, version: left, installedAt: record?.installedAt }
      yield* store.update(({ accepted: _, ...state }) => afterLeaving(state, leaving, "rollback", at))
      yield* store.revert(parent)
      const now = yield* store.read
      return {
        from: left ?? null,
        to: now.bundle?.version ?? null,
        generation: now.generation ?? null,
        keptOut: now.state.keptOut?.version
      }
    })
  )
})

/** Suspends installs and repairs, for a while or until released. */
export const holdInstalls = Effect.fnUntraced(function* (store: Store, duration: Duration.Duration | undefined) {
  yield* store.existing
  const since = yield* Clock.currentTimeMillis
  const until = duration === undefined ? null : since + Math.ceil(Duration.toMillis(duration))
  const state = yield* store.locked(store.update((before) => ({ ...before, hold: { since, until } })))
  return { until, decided: decisions(state, since) }
})

/** Ends a hold. */
export const releaseHold = Effect.fnUntraced(function* (store: Store) {
  yield* store.existing
  const now = yield* Clock.currentTimeMillis
  const state = yield* store.locked(
    store.update((before) => {
      const { hold: held, ...rest } = before
      return held === undefined ? before : rest
    })
  )
  return decisions(state, now)
})

/** Lets one version in, once, although it is lower than the applied one, of other content, emptied or kept out. */
export const acceptVersion = Effect.fnUntraced(function* (store: Store, version: number) {
  yield* store.existing
  const at = yield* Clock.currentTimeMillis
  return decisions(yield* store.locked(store.update((before) => ({ ...before, accepted: { version, at } }))), at)
})
