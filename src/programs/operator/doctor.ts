/** What `check` finds: one finding a thing that must be right, read-only (contract section 1). */
import { Clock, Effect, FileSystem, Path, Result } from "effect"
import { Hex } from "effect/encoding"
import { shareSlot } from "../../domain/delivery/hashSlot.ts"
import type { StreamSet } from "../../domain/options/options.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { ConfigurationsAnswer, JobsApi } from "../../services/JobsApi.ts"
import type { Signer } from "../../services/Signer.ts"
import { parseBundleResponse } from "../gatewayConfig/parseBundleResponse.ts"
import { keyProblem } from "../health/keyCheck.ts"

export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** What was found. */
  readonly found: string
  /** What to do; undefined where all is well. */
  readonly remedy: string | undefined
}

export const good = (check: string, found: string): Finding => ({ check, ok: true, found, remedy: undefined })
export const bad = (check: string, found: string, remedy: string): Finding => ({ check, ok: false, found, remedy })

/** Signs and verifies with the key as the service does. */
export const checkKey = (signer: Signer["Service"]): Effect.Effect<Finding> =>
  Effect.map(keyProblem(signer), (problem) =>
    problem === undefined
      ? good("key", `signs and verifies; its public key is ${Hex.encode(signer.publicKey)}`)
      : bad("key", problem, "restore the right key, or make a pair with `job-collector keygen`")
  )

const refusedRemedy =
  "check the user, password and database of REDIS_URL, REDIS_PASSWORD_FILE, and the user's permissions"
const awayRemedy = "check REDIS_URL (host, port, TLS), that the server runs, and the firewall"

export const redisAway = (error: EventStreamsError): Finding =>
  bad("redis connection", error.message, error.reason._tag === "Refused" ? refusedRemedy : awayRemedy)

const versionFinding = (server: ReadonlyMap<string, string>): Finding => {
  const valkey = server.get("valkey_version")
  if (valkey !== undefined) return good("redis version", `Valkey ${valkey}`)
  const version = server.get("redis_version")
  return Number(version?.split(".")[0]) >= 7
    ? good("redis version", `Redis ${version}`)
    : bad("redis version", `Redis ${version ?? "of an unknown version"}`, "use Redis 7.0 or Valkey at least")
}

const persistenceFinding = (persistence: ReadonlyMap<string, string>): Finding =>
  persistence.get("aof_enabled") === "1"
    ? persistence.get("aof_last_write_status") === "err"
      ? bad(
          "redis persistence",
          "the append-only file cannot be written",
          "free space on the server's disk and see its log"
        )
      : good("redis persistence", "the append-only file is on")
    : bad(
        "redis persistence",
        "the append-only file is off: a crash of Redis loses the last events",
        "redis-cli CONFIG SET appendonly yes, and the same in its configuration file"
      )

const evictionFinding = (memory: ReadonlyMap<string, string>): Finding => {
  const policy = memory.get("maxmemory_policy")
  return policy === "noeviction"
    ? good("redis eviction policy", policy)
    : bad(
        "redis eviction policy",
        `${policy ?? "unknown"}: a whole stream may be deleted when memory runs short`,
        "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in its configuration file"
      )
}

/** In a Cluster a move is one step only where the streams it joins share a hash slot; it works all the same. */
const slotFindings = (sets: ReadonlyArray<StreamSet>): ReadonlyArray<Finding> =>
  sets.map((set) =>
    good(
      "hash slots",
      shareSlot(Object.values(set))
        ? `${set.transcribe} and those that belong to it share one`
        : `${set.transcribe} and those that belong to it lie in different ones, so that a move takes several steps; ` +
            "one hash tag, such as {modelsgateway}:events:dlq, makes it one"
    )
  )

/** Connection, version, persistence and eviction policy; in a Cluster the streams' hash slots as well. */
export const checkRedis = (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<StreamSet>
): Effect.Effect<ReadonlyArray<Finding>, EventStreamsError> =>
  Effect.gen(function* () {
    const asked = yield* Clock.currentTimeNanos
    yield* streams.ping
    const micros = Number(((yield* Clock.currentTimeNanos) - asked) / 1_000n)
    const connection = good("redis connection", `answers within ${micros / 1_000} ms`)
    const told = yield* Effect.result(streams.serverInfo)
    if (told._tag === "Failure") {
      const remedy = "let the user run INFO, or ask the server's operator"
      return [connection, bad("redis settings", told.failure.message, remedy)]
    }
    const info = told.success
    return [
      connection,
      versionFinding(info),
      persistenceFinding(info),
      evictionFinding(info),
      ...(info.get("cluster_enabled") === "1" ? slotFindings(sets) : [])
    ]
  })

const groupFinding = (streams: EventStreams["Service"], stream: string, group: string): Effect.Effect<Finding> => {
  const check = `group of ${stream}`
  return Effect.gen(function* () {
    if ((yield* streams.streamInfo(stream)) === undefined) return good(check, "will be created, with its stream")
    const known = yield* streams.groupInfo(stream, group)
    if (known === undefined) return good(check, "will be created")
    const lag = known.lag === undefined ? "unknown" : String(known.lag)
    return good(check, `exists: lag ${lag}, pending ${known.pending}, consumers ${known.consumers}`)
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed(
        bad(
          check,
          error.message,
          error.reason._tag === "WrongType"
            ? "another program uses this key: set STREAM_… to another name"
            : "give the user XINFO and XGROUP on this key"
        )
      )
    )
  )
}

/** Whether every stream's group is there, or can be created. */
export const checkGroups = (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<StreamSet>,
  group: string
): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.forEach(
    sets.flatMap(({ dlq, process, transcribe }) => [transcribe, process, dlq]),
    (stream) => groupFinding(streams, stream, group)
  )

const apiRemedy = (code: string): string => {
  switch (code) {
    case "HTTP_401":
    case "HTTP_403":
      return "register the public key and SERVICE_ID with the API, and compare the clocks: 5 minutes apart is too much"
    case "HTTP_404":
      return "check the path of API_BASE_URL: /api/models/configurations must be below it"
    case "TIMEOUT":
      return "check that the API answers within API_TIMEOUT"
    case "NETWORK":
      return "check API_BASE_URL, DNS, the firewall and the API's certificate"
    default:
      return "see the API's own log"
  }
}

const configurationsFinding = (answer: ConfigurationsAnswer): Finding => {
  const check = "configurations"
  const remedy = "correct the API's configurations: the gateway keeps what it has until then"
  if (answer._tag === "NotModified") return bad(check, "304 to a request without ETag", remedy)
  return Result.match(parseBundleResponse(answer), {
    onSuccess: ({ version }) => good(check, `the API has version ${version}`),
    onFailure: ({ problem }) => bad(check, problem, remedy)
  })
}

/** The signed GET of the configurations; what it brings matters only where the configuration is kept in step. */
export const checkApi = (
  api: JobsApi["Service"],
  url: string,
  configSync: boolean
): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(api.configurations(undefined), {
    onSuccess: (answer) => [
      good("api", `${url} takes signed requests`),
      ...(configSync ? [configurationsFinding(answer)] : [])
    ],
    onFailure: ({ errorCode, message }) => [
      errorCode === "HTTP_404" && !configSync
        ? good("api", `${url} answers; it has no configurations, and CONFIG_SYNC is off`)
        : bad("api", `${url}: ${message}`, apiRemedy(errorCode))
    ]
  })

const directoryRemedy = "make CONFIG_DIR a directory of the service's user, on a file system it may write to"

/** Whether the configuration files can be put where they belong; the service makes a directory that is missing. */
export const checkDirectory = (path: string): Effect.Effect<Finding, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const check = "config directory"
    let at = paths.resolve(path)
    while (!(yield* fs.exists(at)) && paths.dirname(at) !== at) at = paths.dirname(at)
    const { type } = yield* fs.stat(at)
    if (type !== "Directory") return bad(check, `${at} is no directory`, directoryRemedy)
    yield* fs.access(at, { readable: true, writable: true })
    return good(check, at === paths.resolve(path) ? `${path} can be written` : `${path} will be created`)
  }).pipe(
    Effect.catch(({ reason }) =>
      Effect.succeed(bad("config directory", `${path} cannot be used: ${reason._tag}`, directoryRemedy))
    )
  )
