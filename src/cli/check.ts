/** `job-collector check`: a read-only doctor (contract section 1). */
import { Effect, FileSystem, Layer, Schema } from "effect"
import { Command } from "effect/cli"
import { wordsOfCommand } from "../domain/gatewayConfig/reloadCommand.ts"
import { knownStreams } from "../domain/options/knownStreams.ts"
import * as NodeGateway from "../layers/gateway/NodeGateway.ts"
import { groupNumber } from "../layers/gatewayConfig/group.ts"
import * as LeanHttpClient from "../layers/http/LeanHttpClientLayer.ts"
import * as JobsApiLayer from "../layers/jobsApi/JobsApi.ts"
import { hostName } from "../layers/node/Host.ts"
import * as NodeProcesses from "../layers/node/NodeProcesses.ts"
import * as Environment from "../layers/settings/Environment.ts"
import * as NativeSigner from "../layers/signing/NativeSigner.ts"
import { checkReplicas } from "../programs/operator/checkReplicas.ts"
import { checkTraffic } from "../programs/operator/checkTraffic.ts"
import * as Doctor from "../programs/operator/doctor.ts"
import { checkRights } from "../programs/operator/redisRights.ts"
import { EventStreams } from "../services/EventStreams.ts"
import { Gateway } from "../services/Gateway.ts"
import { JobsApi } from "../services/JobsApi.ts"
import { Signer } from "../services/Signer.ts"
import { firstStream } from "./audited.ts"
import { json } from "./flags.ts"
import { awaitAnswer, CommandKinds, memoryProblem, redisLayer, redisSettings } from "./operator.ts"
import { plural, printJson, printLines } from "./output.ts"

/** Something is wrong; every line of it was shown. */
class ChecksFailed extends Schema.TaggedError<ChecksFailed>()("ChecksFailed", { failed: Schema.Int }) {
  override get message(): string {
    return `${plural(this.failed, "check")} failed`
  }
}

type Findings = ReadonlyArray<Doctor.Finding>

/** Reads a group of settings, or each of its problems. */
const settingsOf = <A, R>(setting: Environment.Setting<A, R>) =>
  Effect.match(Environment.load(setting), {
    onSuccess: ({ settings, warnings }) => ({ settings, warnings, problems: [] }),
    onFailure: ({ problems }) => ({ settings: undefined, warnings: [], problems })
  })

const everything = (host: string) =>
  Environment.all({
    redis: Environment.redis,
    collector: Environment.collector(host),
    signing: Environment.signing,
    configSync: Environment.configSync,
    gateway: Environment.gateway,
    http: Environment.http,
    logging: Environment.logging,
    telemetry: Environment.telemetry,
    exposure: Environment.exposure
  })

const settingsFindings = Effect.gen(function* () {
  const { problems, settings, warnings } = yield* settingsOf(everything(yield* hostName))
  if (settings !== undefined) {
    return warnings.length === 0
      ? [Doctor.good("settings", "all in order")]
      : warnings.map((problem) => Doctor.warning("settings", problem))
  }
  return problems.map(({ problem, variable }) => Doctor.bad(`settings: ${variable}`, problem, "correct it"))
})

const signerLayer = Effect.map(settingsOf(Environment.signing), ({ settings }) =>
  settings === undefined ? undefined : NativeSigner.layer(settings.privateKey, { publicKey: settings.publicKey })
)

const keyFindings = Effect.gen(function* () {
  const layer = yield* signerLayer
  // Said among the settings.
  if (layer === undefined) return []
  const checked = Effect.flatMap(Signer, Doctor.checkKey).pipe(Effect.provide(layer))
  return [
    yield* Effect.catch(checked, ({ problem }) =>
      Effect.succeed(
        Doctor.bad("key", problem, "set ED25519_PUBLIC_KEY to the matching key, or restore the private key")
      )
    )
  ]
})

const redisFindings = Effect.gen(function* () {
  const { settings } = yield* settingsOf(
    Environment.all({ redis: redisSettings, consumer: Environment.consumer(yield* hostName) })
  )
  if (settings === undefined) return []
  const { redis, streams } = settings.redis
  const known = yield* CommandKinds
  const sets = knownStreams({ ...streams, ...known })
  if (redis._tag === "Memory") return [Doctor.good("redis connection", memoryProblem.replace(/;.*/, ""))]
  return yield* Effect.gen(function* () {
    const service = yield* EventStreams
    yield* awaitAnswer(service)
    const server = yield* Doctor.checkRedis(service, sets)
    const host = yield* hostName
    const collector = (yield* settingsOf(Environment.collector(host))).settings
    const rights = yield* checkRights(service, {
      ...streams,
      ...known,
      consumerName: collector?.consumerName ?? host,
      sourceRetention: collector?.sourceRetention ?? "none",
      outcomeRetention: collector?.outcomeRetention ?? "none",
      alerts: collector?.alerts
    })
    const observed = {
      streams: service,
      stream: firstStream({ sets }),
      group: streams.consumerGroup
    }
    return [
      ...server,
      ...rights,
      ...(yield* checkTraffic(observed)),
      ...(yield* checkReplicas(observed)),
      ...(yield* Doctor.checkGroups(service, sets, streams.consumerGroup, settings.consumer.groupStartId))
    ]
  }).pipe(
    Effect.provide(redisLayer(redis.options)),
    Effect.catch((error) => Effect.succeed([Doctor.redisAway(error)]))
  )
})

const apiFindings = Effect.gen(function* () {
  const layer = yield* signerLayer
  const { settings } = yield* settingsOf(
    Environment.all({ api: Environment.api, configSync: Environment.configSync, apiClient: Environment.apiClient })
  )
  if (layer === undefined || settings === undefined) return []
  const { apiBaseUrl: baseUrl, apiTimeout: timeout, serviceId, signatureSchemes } = settings.api
  const api = JobsApiLayer.layer({ baseUrl, serviceId, signatureSchemes, timeout }).pipe(
    Layer.provide(Layer.mergeAll(layer, LeanHttpClient.layer(settings.apiClient)))
  )
  return yield* Effect.flatMap(JobsApi, (service) =>
    Doctor.checkApi(service, baseUrl, settings.configSync.enabled)
  ).pipe(
    Effect.provide(api),
    // A key that cannot sign has a line of its own.
    Effect.catchTag("SignerError", () => Effect.succeed([]))
  )
})

const groupFinding = (group: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.match(groupNumber(fs, group), {
      onSuccess: (number) => Doctor.good("config file group", `${group} is group ${number}`),
      onFailure: ({ problem }) => Doctor.bad("config file group", problem, "correct CONFIG_FILE_GROUP")
    })
  )

const directoryFindings = Effect.gen(function* () {
  const { settings } = yield* settingsOf(Environment.configSync)
  if (settings === undefined) return []
  const { directory, enabled, fileGroup } = settings
  if (!enabled) return [Doctor.good("config directory", "not used: CONFIG_SYNC is off")]
  return [yield* Doctor.checkDirectory(directory), ...(fileGroup === undefined ? [] : [yield* groupFinding(fileGroup)])]
})

const programFinding = Effect.fnUntraced(function* (command: string) {
  const fs = yield* FileSystem.FileSystem
  const [program = ""] = wordsOfCommand(command) ?? []
  const folders = program.includes("/") ? [""] : (process.env.PATH ?? "").split(":").map((folder) => `${folder}/`)
  const found = yield* Effect.forEach(folders, (folder) =>
    Effect.isSuccess(fs.access(`${folder}${program}`, { readable: true }))
  )
  return found.includes(true)
    ? Doctor.good("gateway", `${program} will be run`)
    : Doctor.bad("gateway", `GATEWAY_RELOAD_COMMAND: ${program} was not found`, "use the program's absolute path")
})

const gatewayFindings = Effect.gen(function* () {
  const { settings } = yield* settingsOf(Environment.gateway)
  if (settings === undefined) return []
  const { pidFile, reloadCommand, statusFile, statusUrl } = settings
  if (pidFile === undefined && reloadCommand === undefined && statusFile === undefined && statusUrl === undefined) {
    return [Doctor.good("gateway", "not configured: no gateway is told about new configurations")]
  }
  const layer = NodeGateway.layer(settings).pipe(
    Layer.provide(LeanHttpClient.layer()),
    Layer.provide(NodeProcesses.layer)
  )
  return yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const told: Findings =
      reloadCommand !== undefined
        ? [yield* programFinding(reloadCommand)]
        : pidFile !== undefined
          ? [
              yield* Effect.match(gateway.reachable, {
                onSuccess: () => Doctor.good("gateway", "its process is running and handles SIGHUP"),
                onFailure: ({ problem }) =>
                  Doctor.bad("gateway", problem, "start the gateway, or correct GATEWAY_PID_FILE")
              })
            ]
          : []
    if (!gateway.reportsVersion) return told
    const reports = yield* Effect.match(gateway.runningVersion, {
      onSuccess: (version) => Doctor.good("gateway version", `it reports version ${version}`),
      onFailure: ({ problem }) =>
        Doctor.bad("gateway version", problem, 'make the gateway report {"version": <integer>} there')
    })
    return [...told, reports]
  }).pipe(Effect.provide(layer))
})

const lineOf = ({ check, found, ok, remedy, warning }: Doctor.Finding): string =>
  `${ok ? (warning ? "⚠" : "✓") : "✗"} ${check}: ${found}${remedy === undefined ? "" : ` → ${remedy}`}`

export const check = Command.make(
  "check",
  { json },
  Effect.fnUntraced(function* (flags) {
    const findings: Array<Doctor.Finding> = []
    const groups = [
      settingsFindings,
      keyFindings,
      redisFindings,
      apiFindings,
      directoryFindings,
      gatewayFindings
    ] as const
    for (const group of groups) {
      const found: Findings = yield* group
      findings.push(...found)
      if (!flags.json && found.length > 0) yield* printLines(found.map(lineOf))
    }
    const failed = findings.filter(({ ok }) => !ok).length
    if (flags.json) yield* printJson({ ok: failed === 0, checks: findings }, 2)
    if (failed > 0) return yield* new ChecksFailed({ failed })
  })
)
