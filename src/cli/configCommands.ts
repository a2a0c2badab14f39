/**
 * `job-collector config …` for operators (contract section 1). The commands run beside the service, in a process of
 * their own: they work on the files in `CONFIG_DIR` under the same lock, and the service's next tick respects them.
 */
import { type Duration, Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { instant } from "../domain/events/instant.ts"
import { renderChanges } from "../domain/gatewayConfig/diff.ts"
import {
  acceptVersion,
  type Compared,
  configurationDiff,
  configurationHistory,
  configurationStatus,
  diffWith,
  holdInstalls,
  noGeneration,
  releaseHold,
  rollBack
} from "../programs/gatewayConfig/configOperations.ts"
import { tellGateway } from "../programs/gatewayConfig/configReload.ts"
import { parseBundleResponse } from "../programs/gatewayConfig/parseBundleResponse.ts"
import { ConfigAudit } from "../services/ConfigAudit.ts"
import { ConfigStore } from "../services/ConfigStore.ts"
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

/** What is installed, what was decided, and whether the files are as they were installed. */
const show = Effect.fnUntraced(function* (json: boolean) {
  const value = yield* configurationStatus(yield* ConfigStore)
  const { accepted_version, drift, held, held_until, kept_out } = value
  yield* print(json, value, [
    `version         ${value.version ?? "none installed"}`,
    `generation      ${value.generation ?? "-"}${value.reason === null ? "" : `, ${value.reason} of ${value.installed_at}`}`,
    `keys            ${value.keys.join(", ") || "-"}`,
    `models          ${value.models.join(", ") || "-"}`,
    `rate limits     ${value.rate_limits}`,
    `reload pending  ${value.reload_pending ? "yes: the service tells the gateway at its next tick" : "no"}`,
    `held            ${held ? (held_until === null ? 'until "config hold --off"' : `until ${held_until}`) : "no"}`,
    `kept out        ${kept_out === null ? "nothing" : `versions up to ${kept_out.up_to_version} (${kept_out.cause})`}`,
    `accepted        ${accepted_version === null ? "nothing" : `version ${accepted_version}, once`}`,
    `drift           ${drift[0] ?? "none"}`,
    ...drift.slice(1).map((line) => `                ${line}`)
  ])
})

/** The kept generations and those that were gone back from, newest first. */
const history = Effect.fnUntraced(function* (json: boolean) {
  const rows = yield* configurationHistory(yield* ConfigStore)
  const line = (row: (typeof rows)[number]) => {
    const left = row.left_by === null ? "" : `, left ${row.left_at} (${row.left_by})`
    const reason = row.kept ? (row.reason ?? "damaged") : "no longer kept"
    return `${row.current ? "*" : " "} generation ${row.generation}  version ${row.version ?? "?"}  ${row.installed_at ?? "?"}  ${reason}${left}`
  }
  yield* print(json, rows, rows.length === 0 ? ["nothing is installed"] : rows.map(line))
})

/** The bundle the API serves now. */
const offered = Effect.gen(function* () {
  const api = Option.getOrUndefined(yield* Effect.serviceOption(JobsApi))
  if (api === undefined) return yield* noGeneration("--offered asks the API: set API_BASE_URL and the key")
  const answer = yield* api.configurations(undefined)
  if (answer._tag === "NotModified") return yield* noGeneration("the API answered 304 to a request without ETag")
  return yield* Effect.fromResult(parseBundleResponse(answer))
})

export interface DiffOptions extends Compared {
  /** Compare the installed one with what the API serves instead. */
  readonly offered: boolean
  readonly json: boolean
}

/** What differs between two generations, or between what is installed and what the API serves. No secret is shown. */
const showDiff = Effect.fnUntraced(function* (options: DiffOptions) {
  const store = yield* ConfigStore
  const difference = options.offered
    ? yield* diffWith(store, options.from, yield* offered)
    : yield* configurationDiff(store, options)
  yield* print(options.json, difference, [
    `version ${difference.from} → ${difference.to}`,
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

const rollback = Effect.fnUntraced(function* (flags: Changing) {
  const { keptOut, ...done } = yield* rollBack(yield* ConfigStore)
  yield* note(flags, "config rollback", `version ${done.from ?? "?"} → ${done.to ?? "?"}`)
  const told = yield* tell
  yield* print(flags.json, { ...done, gateway: told }, [
    `version ${done.from ?? "?"} → ${done.to ?? "?"} (generation ${done.generation}); ${told}`,
    ...(keptOut === undefined
      ? []
      : [`versions up to ${keptOut} stay out until a higher one arrives, or: config accept <version>`])
  ])
})

const hold = Effect.fnUntraced(function* (duration: Duration.Duration | undefined, flags: Changing) {
  const { decided, until } = yield* holdInstalls(yield* ConfigStore, duration)
  yield* note(flags, "config hold", until === null ? undefined : `until ${instant(until)}`)
  yield* print(flags.json, decided, [
    `installs and repairs are held ${until === null ? "until released" : `until ${instant(until)}`}; to release them: config hold --off`
  ])
})

const release = Effect.fnUntraced(function* (flags: Changing) {
  const decided = yield* releaseHold(yield* ConfigStore)
  yield* note(flags, "config hold --off")
  yield* print(flags.json, decided, ["installs and repairs go on"])
})

const accept = Effect.fnUntraced(function* (version: number, flags: Changing) {
  const decided = yield* acceptVersion(yield* ConfigStore, version)
  yield* note(flags, "config accept", `version ${version}`)
  yield* print(flags.json, decided, [
    `version ${version} is applied once when the API serves it${decided.held ? " and the hold has ended" : ""}`
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
