/**
 * `job-collector config …` for operators (contract section 1). The commands run beside the service, in a process of
 * their own: they work on the files in `CONFIG_DIR` under the same lock, and the service's next tick respects them.
 */
import { Clock, Duration, Effect, Option, Result, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { instant } from "../domain/events/instant.ts"
import { diff, renderChanges } from "../domain/gatewayConfig/diff.ts"
import { bundleOfFiles } from "../domain/gatewayConfig/files.ts"
import { Secrets } from "../domain/gatewayConfig/redact.ts"
import { afterLeaving, type ConfigState, contentsOfRecord, isHeld } from "../domain/gatewayConfig/state.ts"
import { isPending, tellGateway } from "../programs/gatewayConfig/configReload.ts"
import { parseBundleResponse } from "../programs/gatewayConfig/parseBundleResponse.ts"
import { ConfigAudit } from "../services/ConfigAudit.ts"
import { ConfigStore, ConfigStoreError, type GenerationSummary, type Installed } from "../services/ConfigStore.ts"
import { Gateway } from "../services/Gateway.ts"
import { JobsApi } from "../services/JobsApi.ts"
import { type AuditFlags, auditFlags } from "./audited.ts"
import { DurationArgument, json } from "./flags.ts"
import { printJson, printLines } from "./output.ts"

const note = ({ as, why }: AuditFlags, action: string, target?: string) =>
  Effect.flatMap(ConfigAudit, (noted) => noted({ action, target, as, why }))

/** Prints a value as JSON, or lines for people. */
const print = (json: boolean, value: unknown, lines: ReadonlyArray<string>) =>
  json ? printJson(value, 2) : printLines(lines)

/** What is decided, in the shape that `--json` shows. */
const decisions = (state: ConfigState, now: number) => ({
  held: isHeld(state, now),
  held_until: isHeld(state, now) && typeof state.hold?.until === "number" ? instant(state.hold.until) : null,
  kept_out: state.keptOut === undefined ? null : { up_to_version: state.keptOut.version, cause: state.keptOut.cause },
  accepted_version: state.accepted?.version ?? null
})

const heldText = (installed: Installed, now: number): string => {
  const { hold } = installed.state
  if (!isHeld(installed.state, now)) return "no"
  return typeof hold?.until === "number" ? `until ${instant(hold.until)}` : 'until "config hold --off"'
}

/** What is installed, what was decided, and whether the files are as they were installed. */
const show = Effect.fnUntraced(function* (json: boolean) {
  const store = yield* ConfigStore
  const installed = yield* store.read
  const now = yield* Clock.currentTimeMillis
  const { bundle, drift, generation, record, state } = installed
  const secrets = new Secrets(bundle)
  const idsOf = (list: "openai_keys" | "model_configs") =>
    bundle?.[list].map((entry) => secrets.name(String(entry.id))) ?? []
  const value = {
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
  yield* print(json, value, [
    `version         ${value.version ?? "none installed"}`,
    `generation      ${value.generation ?? "-"}${record === undefined ? "" : `, ${record.reason} of ${value.installed_at}`}`,
    `keys            ${value.keys.join(", ") || "-"}`,
    `models          ${value.models.join(", ") || "-"}`,
    `rate limits     ${value.rate_limits}`,
    `reload pending  ${value.reload_pending ? "yes: the service tells the gateway at its next tick" : "no"}`,
    `held            ${heldText(installed, now)}`,
    `kept out        ${state.keptOut === undefined ? "nothing" : `versions up to ${state.keptOut.version} (${state.keptOut.cause})`}`,
    `accepted        ${state.accepted === undefined ? "nothing" : `version ${state.accepted.version}, once`}`,
    `drift           ${drift[0] ?? "none"}`,
    ...drift.slice(1).map((line) => `                ${line}`)
  ])
})

/** The kept generations and those that were gone back from, newest first. */
const history = Effect.fnUntraced(function* (json: boolean) {
  const store = yield* ConfigStore
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
  const rows = [
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
  const line = (row: (typeof rows)[number]) => {
    const left = row.left_by === null ? "" : `, left ${row.left_at} (${row.left_by})`
    const reason = row.kept ? (row.reason ?? "damaged") : "no longer kept"
    return `${row.current ? "*" : " "} generation ${row.generation}  version ${row.version ?? "?"}  ${row.installed_at ?? "?"}  ${reason}${left}`
  }
  yield* print(json, rows, rows.length === 0 ? ["nothing is installed"] : rows.map(line))
})

const noGeneration = (problem: string) => new ConfigStoreError({ reason: "NoGeneration", problem })

const bundleOfGeneration = (generations: ReadonlyArray<GenerationSummary>, generation: number) => {
  const record = generations.find((kept) => kept.generation === generation)?.record
  const bundle = record === undefined ? undefined : Result.getOrUndefined(bundleOfFiles(contentsOfRecord(record)))
  return bundle === undefined
    ? Effect.fail(noGeneration(`generation ${generation} is not kept, or holds no bundle: see "config history"`))
    : Effect.succeed(bundle)
}

/** The bundle the API serves now. */
const offered = Effect.gen(function* () {
  const api = Option.getOrUndefined(yield* Effect.serviceOption(JobsApi))
  if (api === undefined) return yield* noGeneration("--offered asks the API: set API_BASE_URL and the key")
  const answer = yield* api.configurations(undefined)
  if (answer._tag === "NotModified") return yield* noGeneration("the API answered 304 to a request without ETag")
  return yield* Effect.fromResult(parseBundleResponse(answer))
})

export interface DiffOptions {
  /** A generation; by default the one that was installed before: left by a rollback, or what one would go back to. */
  readonly from: number | undefined
  /** A generation; by default the installed one. */
  readonly to: number | undefined
  /** Compare the installed one with what the API serves instead. */
  readonly offered: boolean
  readonly json: boolean
}

/** What differs between two generations, or between what is installed and what the API serves. No secret is shown. */
const showDiff = Effect.fnUntraced(function* (options: DiffOptions) {
  const store = yield* ConfigStore
  const { bundle, generation, record, state } = yield* store.read
  const generations = yield* store.history
  // After a rollback that is the one it left.
  const left = generations.find((kept) => kept.generation === state.keptOut?.generation && !kept.current)
  const previous = left?.generation ?? record?.parent ?? undefined
  const named = (wanted: number | undefined) =>
    wanted === undefined || wanted === generation
      ? bundle === undefined
        ? Effect.fail(noGeneration("no configuration is installed"))
        : Effect.succeed(bundle)
      : bundleOfGeneration(generations, wanted)
  const from = options.from ?? (options.offered ? undefined : previous)
  if (from === undefined && !options.offered) {
    return yield* noGeneration("there is no earlier generation to compare with: name one")
  }
  const before = yield* named(from)
  const after = options.offered ? yield* offered : yield* named(options.to)
  const difference = diff(before, after)
  yield* print(options.json, { from: before.version, to: after.version, ...difference }, [
    `version ${before.version} → ${after.version}`,
    ...(difference.total === 0 ? ["no parameter differs"] : renderChanges(difference))
  ])
})

/** Tells the gateway at once where this process knows how; else the service does at its next tick. */
const tell = Effect.gen(function* () {
  const store = yield* ConfigStore
  const gateway = Option.getOrUndefined(yield* Effect.serviceOption(Gateway))
  if (gateway === undefined || !gateway.configured) return "the service tells the gateway at its next tick"
  const reload = yield* tellGateway(store, gateway)
  switch (reload._tag) {
    case "None":
      return "the gateway has it"
    case "Told":
      return reload.outcome === "applied" ? "the gateway has taken it up" : "the gateway was told"
    case "Failed":
    case "WentBack":
      return `the gateway could not be told (${reload.problem}): the service retries at its next tick`
  }
})

/** The flags of what changes something. */
interface Changing extends AuditFlags {
  readonly json: boolean
}

/** Goes back to the generation before the installed one; the version that is left stays out until a higher one arrives. */
const rollback = Effect.fnUntraced(function* (flags: Changing) {
  const store = yield* ConfigStore
  yield* store.existing
  yield* store.recover
  const { done, keptOut } = yield* store.locked(
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
      const done = { from: left ?? null, to: now.bundle?.version ?? null, generation: now.generation ?? null }
      return { done, keptOut: now.state.keptOut?.version }
    })
  )
  yield* note(flags, "config rollback", `version ${done.from ?? "?"} → ${done.to ?? "?"}`)
  const told = yield* tell
  yield* print(flags.json, { ...done, gateway: told }, [
    `version ${done.from ?? "?"} → ${done.to ?? "?"} (generation ${done.generation}); ${told}`,
    ...(keptOut === undefined
      ? []
      : [`versions up to ${keptOut} stay out until a higher one arrives, or: config accept <version>`])
  ])
})

/** Suspends installs and repairs, for a while or until released. */
const hold = Effect.fnUntraced(function* (duration: Duration.Duration | undefined, flags: Changing) {
  const store = yield* ConfigStore
  yield* store.existing
  const since = yield* Clock.currentTimeMillis
  const until = duration === undefined ? null : since + Math.ceil(Duration.toMillis(duration))
  const state = yield* store.locked(store.update((before) => ({ ...before, hold: { since, until } })))
  yield* note(flags, "config hold", until === null ? undefined : `until ${instant(until)}`)
  yield* print(flags.json, decisions(state, since), [
    `installs and repairs are held ${until === null ? "until released" : `until ${instant(until)}`}; to release them: config hold --off`
  ])
})

/** Ends a hold. */
const release = Effect.fnUntraced(function* (flags: Changing) {
  const store = yield* ConfigStore
  yield* store.existing
  const now = yield* Clock.currentTimeMillis
  const state = yield* store.locked(
    store.update((before) => {
      const { hold: held, ...rest } = before
      return held === undefined ? before : rest
    })
  )
  yield* note(flags, "config hold --off")
  yield* print(flags.json, decisions(state, now), ["installs and repairs go on"])
})

/** Lets one version in, once, although it is lower than the applied one, of other content, emptied or kept out. */
const accept = Effect.fnUntraced(function* (version: number, flags: Changing) {
  const store = yield* ConfigStore
  yield* store.existing
  const at = yield* Clock.currentTimeMillis
  const state = yield* store.locked(store.update((before) => ({ ...before, accepted: { version, at } })))
  yield* note(flags, "config accept", `version ${version}`)
  yield* print(flags.json, decisions(state, at), [
    `version ${version} is applied once when the API serves it${isHeld(state, at) ? " and the hold has ended" : ""}`
  ])
})

const Version = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Generation = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const generation = (name: string, description: string) =>
  Argument.Int(name).pipe(
    Argument.withSchema(Generation),
    Argument.withDescription(description),
    Argument.optional,
    Argument.map(Option.getOrUndefined)
  )

/** `config` with its subcommands; it needs `ConfigStore`, and uses `Gateway` and `JobsApi` where they are there. */
export const configCommand = Command.make("config").pipe(
  Command.withSubcommands([
    Command.make("show", { json }, (input) => show(input.json)).pipe(
      Command.withDescription("What is installed, held, kept out or accepted, and how the files differ")
    ),
    Command.make(
      "diff",
      {
        from: generation("from", "Generation; by default the one before the installed one"),
        to: generation("to", "Generation; by default the installed one"),
        offered: Flag.Boolean("offered").pipe(
          Flag.withDescription("Compare what is installed with what the API serves"),
          Flag.withDefault(false)
        ),
        json
      },
      showDiff
    ).pipe(Command.withDescription("What differs between two generations; secrets are not shown")),
    Command.make("history", { json }, (input) => history(input.json)).pipe(
      Command.withDescription("The kept generations and those gone back from, newest first")
    ),
    Command.make("rollback", { ...auditFlags, json }, rollback).pipe(
      Command.withDescription("Go back a generation; the version left stays out until a higher one arrives")
    ),
    Command.make(
      "hold",
      {
        duration: DurationArgument("duration", 'How long, such as "30 minutes"; without it until released').pipe(
          Argument.optional,
          Argument.map(Option.getOrUndefined)
        ),
        off: Flag.Boolean("off").pipe(Flag.withDescription("Release the hold"), Flag.withDefault(false)),
        ...auditFlags,
        json
      },
      (input) => (input.off ? release(input) : hold(input.duration, input))
    ).pipe(Command.withDescription("Suspend installs and repairs; --off releases them")),
    Command.make(
      "accept",
      {
        version: Argument.Int("version").pipe(
          Argument.withSchema(Version),
          Argument.withDescription("The refused or kept out version")
        ),
        ...auditFlags,
        json
      },
      (input) => accept(input.version, input)
    ).pipe(Command.withDescription("Apply a lower version, changed content or a kept out version, once"))
  ])
)
