/** What `check` finds: one finding for each thing that must be right, read-only (contract section 1). */
import { Clock, Effect, FileSystem, Path, Result } from "effect"
import * as Hex from "effect/encoding/Hex"
import { shareSlot } from "../../domain/delivery/hashSlot.ts"
import { compareIds } from "../../domain/events/streamId.ts"
import { type KnownStreams, sourcesOf } from "../../domain/options/knownStreams.ts"
import type { ConsumerInfo, EventStreams } from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import type { ConfigurationsAnswer, JobsApi } from "../../services/JobsApi.ts"
import type { Signer } from "../../services/Signer.ts"
import { parseBundleResponse } from "../gatewayConfig/parseBundleResponse.ts"
import { keyProblem } from "../health/keyCheck.ts"
import { entriesBefore } from "../redis/entriesBefore.ts"

export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** Whether it works, and deserves attention all the same. */
  readonly warning: boolean
  /** What was found. */
  readonly found: string
  /** What to do; undefined where all is well. */
  readonly remedy: string | undefined
}

export const good = (check: string, found: string): Finding => ({
  check,
  ok: true,
  warning: false,
  found,
  remedy: undefined
})
/** Works, and deserves attention; the remedy may be part of what is found. */
export const warning = (check: string, found: string, remedy?: string): Finding => ({
  check,
  ok: true,
  warning: true,
  found,
  remedy
})
export const bad = (check: string, found: string, remedy: string): Finding => ({
  check,
  ok: false,
  warning: false,
  found,
  remedy
})

/** Signs and verifies with the key as the service does. */
export const checkKey = (signer: Signer["Service"]): Effect.Effect<Finding> =>
  Effect.map(keyProblem(signer), (problem) =>
    problem === undefined
      ? good("key", `signs and verifies; the public key is ${Hex.encode(signer.publicKey)}`)
      : bad("key", problem, "restore the right key, or create a new pair with `job-collector keygen`")
  )

const refusedRemedy =
  "check the user, password and database in REDIS_URL, REDIS_PASSWORD_FILE, and the user's permissions"
const awayRemedy = "check REDIS_URL (host, port, TLS), the firewall, and that the server is running"

export const redisAway = (error: EventStreamsError): Finding =>
  bad("redis connection", error.message, error.reason._tag === "Refused" ? refusedRemedy : awayRemedy)

const versionFinding = (server: ReadonlyMap<string, string>): Finding => {
  const valkey = server.get("valkey_version")
  if (valkey !== undefined) return good("redis version", `Valkey ${valkey}`)
  const version = server.get("redis_version")
  return Number(version?.split(".")[0]) >= 7
    ? good("redis version", `Redis ${version}`)
    : bad("redis version", `Redis ${version ?? "(unknown version)"}`, "upgrade to Redis 7.0 or later, or Valkey")
}

const persistenceFinding = (persistence: ReadonlyMap<string, string>): Finding =>
  persistence.get("aof_enabled") === "1"
    ? persistence.get("aof_last_write_status") === "err"
      ? bad(
          "redis persistence",
          "the append-only file cannot be written",
          "free space on the server's disk and check its log"
        )
      : good("redis persistence", "the append-only file is on")
    : bad(
        "redis persistence",
        "the append-only file is off: if Redis crashes, the latest events are lost",
        "run `redis-cli CONFIG SET appendonly yes`, and set the same in redis.conf"
      )

const evictionFinding = (memory: ReadonlyMap<string, string>): Finding => {
  const policy = memory.get("maxmemory_policy")
  return policy === "noeviction"
    ? good("redis eviction policy", policy)
    : bad(
        "redis eviction policy",
        `${policy ?? "unknown"}: Redis may delete whole streams when memory runs out`,
        "run `redis-cli CONFIG SET maxmemory-policy noeviction`, and set the same in redis.conf"
      )
}

/** A Redis at its limit refuses whatever would take more memory: retries and what is given up among it. */
const memoryFinding = (memory: ReadonlyMap<string, string>): ReadonlyArray<Finding> => {
  const limit = Number(memory.get("maxmemory"))
  const used = Number(memory.get("used_memory"))
  if (!(limit > 0) || !(used >= 0)) return []
  const found = `${Math.round((100 * used) / limit)} % of maxmemory is used`
  return [
    used < limit
      ? good("redis memory", found)
      : bad(
          "redis memory",
          `${found}: no retry and no abandoned event can be written`,
          "free memory or raise maxmemory"
        )
  ]
}

/** In a Cluster a move is one step only where both streams share a hash slot; it works all the same. */
const slotFindings = (sets: ReadonlyArray<KnownStreams>): ReadonlyArray<Finding> =>
  sets.map((set) =>
    good(
      "hash slots",
      shareSlot(Object.values(set))
        ? `${set.transcribe} and its streams share one slot`
        : `${set.transcribe} and its streams are in different slots, so a move takes several steps; ` +
            "a common hash tag, such as {modelsgateway}:events:dlq, makes it one"
    )
  )

/** Connection, version, persistence and eviction policy; in a Cluster the streams' hash slots as well. */
export const checkRedis = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<KnownStreams>
): Effect.fn.Return<ReadonlyArray<Finding>, EventStreamsError> {
  const asked = yield* Clock.currentTimeNanos
  yield* streams.ping
  const micros = Number(((yield* Clock.currentTimeNanos) - asked) / 1_000n)
  const connection = good("redis connection", `answers in ${micros / 1_000} ms`)
  const told = yield* Effect.result(streams.serverInfo)
  if (told._tag === "Failure") {
    const remedy = "allow the user to run INFO, or ask the server's operator"
    return [connection, bad("redis settings", told.failure.message, remedy)]
  }
  const info = told.success
  return [
    connection,
    versionFinding(info),
    persistenceFinding(info),
    evictionFinding(info),
    ...memoryFinding(info),
    ...(info.get("cluster_enabled") === "1" ? slotFindings(sets) : [])
  ]
})

const skippedRemedy = "set GROUP_START_ID=0 to have them delivered"

/** A group that is still to be created, and what lies before its start. */
const missingGroup = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  check: string,
  stream: string,
  startId: string
) {
  const { count, more } = yield* entriesBefore(streams, stream, startId)
  const entries = more ? `more than ${count} entries` : `${count} ${count === 1 ? "entry" : "entries"}`
  return count === 0
    ? good(check, "will be created")
    : warning(
        check,
        `will be created at ${startId}: ${entries} lie before the group's start and will not be read`,
        skippedRemedy
      )
})

/** What tries to read no more: a reader waits for a few seconds at a time. */
const goneAfterMs = 60_000

const ago = (millis: number): string => {
  const seconds = Math.round(millis / 1_000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

const consumerText = ({ idle, name, pending }: ConsumerInfo): string =>
  `${name} (${pending} pending, last read ${ago(idle)} ago)`

const mostNamed = 20

const named = (consumers: ReadonlyArray<ConsumerInfo>): string =>
  consumers.length === 0
    ? "none"
    : [...consumers.slice(0, mostNamed).map(consumerText), ...(consumers.length > mostNamed ? ["…"] : [])].join(", ")

/** The consumers of a group: those that read, and those that are gone. */
const consumersText = (consumers: ReadonlyArray<ConsumerInfo>): string => {
  const gone = consumers.filter(({ idle }) => idle >= goneAfterMs)
  const active = consumers.filter(({ idle }) => idle < goneAfterMs)
  return `${active.length} active: ${named(active)}${gone.length === 0 ? "" : `; ${gone.length} gone: ${named(gone)}`}`
}

const groupFinding = (
  streams: EventStreams["Service"],
  stream: string,
  group: string,
  startId: string
): Effect.Effect<Finding> => {
  const check = `group of ${stream}`
  return Effect.gen(function* () {
    const info = yield* streams.streamInfo(stream)
    if (info === undefined) return good(check, "will be created together with its stream")
    const known = yield* streams.groupInfo(stream, group)
    if (known === undefined) return yield* missingGroup(streams, check, stream, startId)
    const lag = known.lag === undefined ? "unknown" : String(known.lag)
    const start = yield* streams.groupStart(stream, group)
    const skips = start !== undefined && info.firstId !== undefined && compareIds(info.firstId, start) <= 0
    return good(
      check,
      `exists: lag ${lag}, pending ${known.pending}, consumers ${consumersText(yield* streams.consumers(stream, group))}` +
        (skips ? `; it starts after ${start}: the entries before are not read` : "")
    )
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed(
        bad(
          check,
          error.message,
          error.reason._tag === "WrongType"
            ? "another program uses this key: set STREAM_… to a different name"
            : "allow the user to run XINFO and XGROUP on this key"
        )
      )
    )
  )
}

/** Whether every stream's group is there, or can be created; the sources' start at `startId`. */
export const checkGroups = (
  streams: EventStreams["Service"],
  sets: ReadonlyArray<KnownStreams>,
  group: string,
  startId: string
): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.forEach(
    sets.flatMap((set) => [...sourcesOf(set).map(([, stream]) => [stream, startId] as const), [set.dlq, "0"] as const]),
    ([stream, start]) => groupFinding(streams, stream, group, start)
  )

const apiRemedy = (code: string): string => {
  switch (code) {
    case "HTTP_401":
    case "HTTP_403":
      return "register the public key and SERVICE_ID with the API, and compare the clocks (they must be less than 5 minutes apart)"
    case "HTTP_404":
      return "check the path of API_BASE_URL: the API must serve /api/models/configurations below it"
    case "TIMEOUT":
      return "check that the API answers within API_TIMEOUT"
    case "NETWORK":
      return "check API_BASE_URL, DNS, the firewall, and the API's certificate"
    default:
      return "check the API's own log"
  }
}

const configurationsFinding = (answer: ConfigurationsAnswer): Finding => {
  const check = "configurations"
  const remedy = "correct the API's configurations; the gateway keeps its current ones until then"
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
      good("api", `${url} accepts signed requests`),
      ...(configSync ? [configurationsFinding(answer)] : [])
    ],
    onFailure: ({ errorCode, message }) => [
      errorCode === "HTTP_404" && !configSync
        ? good("api", `${url} answers; it has no configurations, but CONFIG_SYNC is off`)
        : bad("api", `${url}: ${message}`, apiRemedy(errorCode))
    ]
  })

const directoryRemedy = "set CONFIG_DIR to a directory that the service's user can write to"

/** Whether the configuration files can be written; the service creates a directory that is missing. */
export const checkDirectory = Effect.fnUntraced(
  function* (path: string) {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const check = "config directory"
    let at = paths.resolve(path)
    while (!(yield* fs.exists(at)) && paths.dirname(at) !== at) at = paths.dirname(at)
    const { type } = yield* fs.stat(at)
    if (type !== "Directory") return bad(check, `${at} is not a directory`, directoryRemedy)
    yield* fs.access(at, { readable: true, writable: true })
    return good(check, at === paths.resolve(path) ? `${path} is writable` : `${path} will be created`)
  },
  (effect, path) =>
    Effect.catch(effect, ({ reason }) =>
      Effect.succeed(bad("config directory", `${path} cannot be used: ${reason._tag}`, directoryRemedy))
    )
)
