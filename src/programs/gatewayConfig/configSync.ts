/**
 * Configuration sync (contract section 7): every interval it fetches the bundle, installs it if it is another one and
 * may be, repairs what was edited by hand, and sees to it that the gateway takes it up. It waits out every typed
 * failure; nothing here ends a delivery.
 */
import { Clock, Duration, Effect, Metric, Random, Result } from "effect"
import type { ConfigInstalled, ConfigRefused, ReloadFailed } from "../../domain/delivery/happening.ts"
import { instant } from "../../domain/events/instant.ts"
import { diff, renderChanges } from "../../domain/gatewayConfig/diff.ts"
import type { ConfigSyncOptions } from "../../domain/gatewayConfig/options.ts"
import { type ConfigState, exposedMode } from "../../domain/gatewayConfig/state.ts"
import { ConfigAudit } from "../../services/ConfigAudit.ts"
import { ConfigStore, type ConfigStoreError, type Installed } from "../../services/ConfigStore.ts"
import { Gateway } from "../../services/Gateway.ts"
import { JobsApi } from "../../services/JobsApi.ts"
import * as Metrics from "../../services/Metrics.ts"
import { repeatSteps, waiting } from "../supervision/loop.ts"
import { type Offer, outcomeOf, type Plan, plan } from "./configPlan.ts"
import { type Heard, isPending, lookAtGateway, type Reload, tellGateway } from "./configReload.ts"
import { type ConfigSyncStatus, initialStatus, type Memory, statusOf } from "./configStatus.ts"
import { inSteps } from "./configSteps.ts"
import { parseBundleResponse } from "./parseBundleResponse.ts"

export const loopName = "config_sync"

/** A tick comes at most this share of the interval late, so that replicas do not ask in step. */
const JITTER = 0.02

/** A running configuration sync. */
export interface ConfigSync {
  /** Ticks at once and then every interval, for ever. */
  readonly run: Effect.Effect<never>
  /** One tick. Never fails: the outcome says how it went, the status why. */
  readonly tick: Effect.Effect<Metrics.SyncOutcome>
  /** For the health checks `config_sync` and `gateway`. */
  readonly status: Effect.Effect<ConfigSyncStatus>
}

/** The state after an install: an acceptance is used up, and a version as high as those kept out lets them go. */
const afterInstall =
  (version: number, adopted: number | null, at: number) =>
  (state: ConfigState): ConfigState => {
    const { accepted: _, keptOut, settled, ...rest } = state
    return {
      ...rest,
      // Files found at first are what the gateway runs already.
      ...(settled !== undefined ? { settled } : adopted !== null ? { settled: { generation: adopted, at } } : {}),
      ...(keptOut !== undefined && keptOut.version > version ? { keptOut } : {})
    }
  }

const reloadNote = (reload: Reload): Record<string, unknown> => {
  switch (reload._tag) {
    case "None":
      return { reload: "none" }
    case "Told":
      return { reload: reload.outcome, reloaded_at: instant(reload.at) }
    case "Failed":
      return { reload: "failed", reload_problem: reload.problem }
    case "WentBack":
      return { reload: "failed", reload_problem: reload.problem, back_to_generation: reload.generation }
  }
}

/** Told at once of each configuration that was installed. */
export type Tell = (happening: ConfigInstalled | ConfigRefused | ReloadFailed) => void

/** Builds configuration sync. Nothing is read or written before the first tick. */
export const make = Effect.fnUntraced(function* (
  options: Pick<ConfigSyncOptions, "interval" | "drift">,
  tell: Tell = () => {}
): Effect.fn.Return<ConfigSync, never, ConfigStore | JobsApi | Gateway> {
  const api = yield* JobsApi
  const audit = yield* ConfigAudit
  const { gateway, store } = inSteps({ store: yield* ConfigStore, gateway: yield* Gateway })
  const memory: Memory = initialStatus(gateway.configured)
  let recovered = false
  /** The ETag of the installed content, where the API changed it without changing the content. */
  let fresher: { readonly generation: number | undefined; readonly etag: string | undefined } | undefined
  let reported = ""
  /** The generation whose exposed keys were warned of last. */
  let warnedOf: number | undefined
  const heard: Heard = { generation: undefined }

  const fetch = (installed: Installed): Effect.Effect<Offer> => {
    // Drift is repaired from the API's own answer where it can be: a 304 would bring none.
    const etag =
      installed.drift.length > 0
        ? undefined
        : fresher !== undefined && fresher.generation === installed.generation
          ? fresher.etag
          : (installed.record?.etag ?? undefined)
    return api.configurations(etag).pipe(
      Effect.map((answer): Offer => {
        if (answer._tag === "NotModified") {
          return etag === undefined
            ? { _tag: "Unavailable", problem: "BAD_RESPONSE: 304 to a request without ETag" }
            : answer
        }
        const received = parseBundleResponse(answer)
        return Result.isFailure(received)
          ? { _tag: "Refused", error: received.failure }
          : { _tag: "Bundle", bundle: received.success, etag: answer.etag }
      }),
      Effect.catch((error) => Effect.succeed<Offer>({ _tag: "Unavailable", problem: error.message }))
    )
  }

  /** Carries a plan out as the only writer, decided anew on what stands there then. */
  const perform = (offer: Offer, first: Plan, now: number) =>
    store.locked(
      Effect.gen(function* () {
        const before = yield* store.read
        const planned = plan(options, before, offer, now)
        // Another replica was quicker, with a later answer: nothing is wrong with this one.
        const overtaken = first._tag === "Install" && planned._tag === "Refuse" && planned.error.rule === "older"
        const todo: Plan = overtaken ? { _tag: "Nothing", note: "unchanged" } : planned
        if (todo._tag === "Install") {
          const generation = yield* store.install(todo.installation)
          const first = before.generation === undefined
          const parent = first ? ((yield* store.read).record?.parent ?? null) : null
          yield* store.update((state) => {
            const idle = state.accepted === undefined && state.keptOut === undefined && parent === null
            return idle ? state : afterInstall(todo.bundle.version, parent, now)(state)
          })
          return { todo, before, generation }
        }
        if (todo._tag === "Repair") return { todo, before, generation: yield* store.install(todo.installation) }
        return { todo, before, generation: undefined }
      })
    )

  const logDone = (todo: Plan, before: Installed, generation: number | undefined, reload: Reload) => {
    if (todo._tag === "Install") {
      const version = `${before.bundle?.version ?? 0} → ${todo.bundle.version}`
      return Effect.all(
        [
          Metric.update(Metrics.configChanges, 1),
          Effect.logInfo("config.changed").pipe(
            Effect.annotateLogs({
              version,
              generation,
              changes: renderChanges(diff(before.bundle, todo.bundle)),
              ...reloadNote(reload)
            })
          ),
          audit({ action: "config changed", target: `version ${version}` })
        ],
        { discard: true }
      )
    }
    const version = before.bundle?.version
    return Effect.andThen(
      Effect.logWarning("config.repaired").pipe(
        Effect.annotateLogs({ version, generation, reverted: before.drift, ...reloadNote(reload) })
      ),
      audit({ action: "config repaired", target: `version ${version ?? "?"}` })
    )
  }

  /** What a tick that wrote nothing has to say. */
  const logNothing = (todo: Plan, installed: Installed) =>
    Effect.suspend(() => {
      const version = installed.bundle?.version
      if (todo._tag === "Refuse") {
        return Effect.logError("config.refused").pipe(
          Effect.annotateLogs({
            rule: todo.error.rule,
            problem: todo.error.problem,
            version: todo.error.version,
            applied: version
          })
        )
      }
      if (todo._tag === "Fail") {
        return Effect.logWarning("config.failed").pipe(Effect.annotateLogs({ problem: todo.problem, applied: version }))
      }
      const drift = installed.drift.join("; ")
      if (drift !== reported && drift !== "") {
        reported = drift
        return Effect.logWarning("config.drifted").pipe(Effect.annotateLogs({ version, drift: installed.drift }))
      }
      reported = drift
      const note = todo._tag === "Nothing" && todo.note !== "unchanged" ? `config ${todo.note}` : "no config changes"
      return Effect.logDebug("config.unchanged").pipe(Effect.annotateLogs({ note, version }))
    })

  /** Says once for each generation that its keys can be read by others. */
  const logExposed = ({ generation, record }: Installed) =>
    Effect.suspend(() => {
      const mode = exposedMode(record)
      if (mode === undefined || generation === warnedOf) return Effect.void
      warnedOf = generation
      return Effect.logWarning("config.exposed").pipe(
        Effect.annotateLogs({
          file: "openai.conf",
          mode: mode.toString(8).padStart(4, "0"),
          remedy: "this file system gives every file one mode: mount it with a narrower one, or move CONFIG_DIR"
        })
      )
    })

  const noteReload = Effect.fnUntraced(function* (reload: Reload, retried: boolean) {
    const outcome: Metrics.ReloadOutcome | undefined =
      reload._tag === "None" ? undefined : reload._tag === "Told" ? reload.outcome : "failed"
    if (outcome === undefined) return
    yield* Metric.update(Metrics.gatewayReloads(outcome), 1)
    memory.reload = {
      at: yield* Clock.currentTimeMillis,
      outcome,
      problem: "problem" in reload ? reload.problem : undefined
    }
    if (reload._tag === "WentBack" || reload._tag === "Failed") {
      const { generation, problem } = reload
      tell({ _tag: "ReloadFailed", at: memory.reload.at, generation, problem })
    }
    if (reload._tag === "WentBack") {
      yield* Metric.update(Metrics.gatewayReloads(reload.again), 1)
      yield* Effect.logError("config.quarantined").pipe(
        Effect.annotateLogs({
          version: reload.version,
          problem: reload.problem,
          back_to_generation: reload.generation,
          remedy: `a higher version, or: config accept ${reload.version}`
        })
      )
      yield* audit({ action: "config quarantined", target: `version ${reload.version}`, why: reload.problem })
    } else if (retried && reload._tag !== "None") {
      const line =
        reload._tag === "Told" ? Effect.logInfo("config.reloaded") : Effect.logWarning("config.reload_failed")
      yield* Effect.annotateLogs(line, { generation: reload.generation, ...reloadNote(reload) })
    }
  })

  const attempt: Effect.Effect<Metrics.SyncOutcome, ConfigStoreError> = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (!recovered) {
      yield* store.recover
      recovered = true
    }
    let installed = yield* store.read
    if (installed.unfinished) {
      yield* store.recover
      installed = yield* store.read
    }
    memory.installed = installed
    const offer = yield* fetch(installed)
    let todo = plan(options, installed, offer, now)
    let written: number | undefined
    if (todo._tag === "Install" || todo._tag === "Repair") {
      const done = yield* perform(offer, todo, now)
      todo = done.todo
      installed = done.before
      written = done.generation
    } else if (offer._tag === "Bundle" && todo._tag === "Nothing" && todo.note === "unchanged") {
      fresher = { generation: installed.generation, etag: offer.etag }
    }
    memory.offered = todo._tag === "Refuse" ? todo.error : undefined
    memory.problem = todo._tag === "Fail" ? todo.problem : undefined
    if (todo._tag === "Refuse") {
      const { problem, rule, version } = todo.error
      tell({ _tag: "ConfigRefused", at: now, version, rule, problem })
    }
    if (written === undefined) yield* logNothing(todo, installed)
    else {
      // Telling the gateway may take a while: what is installed is said at once.
      memory.installed = yield* store.read
      const version = memory.installed.bundle?.version ?? 0
      yield* Metric.update(Metrics.configVersion, version)
      tell({ _tag: "ConfigInstalled", at: now, version, before: installed.bundle?.version, generation: written })
    }
    yield* logExposed(memory.installed)
    const idle = written === undefined && !isPending(installed.generation, installed.state.settled)
    memory.telling = !idle
    const told: Result.Result<Reload, ConfigStoreError> = idle
      ? Result.succeed({ _tag: "None" })
      : yield* Effect.result(tellGateway(store, gateway, heard))
    memory.gatewayProblem =
      idle && gateway.configured && installed.generation !== undefined
        ? yield* lookAtGateway(gateway, installed.bundle?.version)
        : undefined
    const reload: Reload = Result.isSuccess(told)
      ? told.success
      : { _tag: "Failed", generation: written ?? installed.generation ?? 0, problem: told.failure.problem }
    yield* noteReload(reload, written === undefined)
    if (written !== undefined) {
      yield* logDone(todo, installed, written, reload)
    }
    if (Result.isFailure(told)) return yield* told.failure
    if (written !== undefined) {
      // What the gateway let go of is not kept.
      yield* store.recover
    }
    if (written !== undefined || reload._tag !== "None") memory.installed = yield* store.read
    return reload._tag === "WentBack" ? "failed" : outcomeOf(todo)
  })

  const tick = Effect.gen(function* () {
    const outcome = yield* Effect.catch(attempt, (error) => {
      memory.problem = error.problem
      return Effect.as(
        Effect.logError("config.failed").pipe(Effect.annotateLogs({ reason: error.reason, problem: error.problem })),
        "failed" as const
      )
    })
    memory.telling = false
    const now = yield* Clock.currentTimeMillis
    memory.tickedAt = now
    memory.outcome = outcome
    if (outcome === "refused") memory.refusals += 1
    if (outcome === "changed" || outcome === "unchanged") {
      memory.refusals = 0
      memory.succeededAt = now
      yield* Metric.update(Metrics.configLastSuccess, Math.floor(now / 1_000))
    }
    yield* Metric.update(Metrics.configVersion, memory.installed?.bundle?.version ?? 0)
    yield* Metric.update(Metrics.configSyncs(outcome), 1)
    return outcome
  })

  const run = Effect.gen(function* () {
    const interval = Duration.toMillis(options.interval)
    const start = yield* Clock.currentTimeMillis
    if (!gateway.configured) {
      yield* Effect.logWarning("config.no_gateway").pipe(
        Effect.annotateLogs({
          problem: "nobody is told of new configurations: set GATEWAY_PID_FILE or GATEWAY_RELOAD_COMMAND"
        })
      )
    }
    const pause = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const next = start + (Math.floor((now - start) / interval) + 1 + JITTER * (yield* Random.next)) * interval
      yield* Effect.sleep(Math.ceil(next - now))
    })
    return yield* repeatSteps(tick, waiting(pause))
  })

  return { run, tick, status: Effect.map(Clock.currentTimeMillis, (now) => statusOf(memory, now)) }
})
