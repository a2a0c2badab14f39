import { Redacted, Result } from "effect"
import {
  type CollectorOptions,
  defaultOptions,
  defaultStreams,
  type StreamSet,
  shardedKey
} from "../../domain/options/options.ts"
import { PRIVATE_KEY_FORMS, parsePrivateKey } from "../../domain/signing/privateKey.ts"
import { PUBLIC_KEY_FORMS, parsePublicKey } from "../../domain/signing/publicKey.ts"
import { SERVICE_ID } from "../../domain/signing/signature.ts"
import { SIGNATURE_SCHEMES } from "../../domain/signing/signatureSchemes.ts"
import { partitionFields } from "../../domain/traffic/namedPartition.ts"
import {
  distinctList,
  duration,
  httpUrl,
  integer,
  isLoopback,
  matching,
  name,
  oneOf,
  onOff,
  rateOrNone,
  share,
  startId,
  statuses,
  wordOrDuration
} from "./parse.ts"
import { alerts, configSync } from "./service.ts"
import {
  all,
  andThen,
  check,
  constant,
  either,
  file,
  isSet,
  map,
  optional,
  type Parse,
  required,
  type SettingProblem,
  warn,
  withDefault
} from "./setting.ts"

/** `API_TIMEOUT`, `SERVICE_ID` and `SIGNATURE_SCHEMES`: what requests are made with, wherever they go. */
export const requests = all({
  apiTimeout: withDefault("API_TIMEOUT", duration, defaultOptions.apiTimeout),
  serviceId: withDefault(
    "SERVICE_ID",
    matching(SERVICE_ID, "1 to 64 letters, digits, `_` or `-`"),
    defaultOptions.serviceId
  ),
  signatureSchemes: withDefault(
    "SIGNATURE_SCHEMES",
    distinctList(oneOf(...SIGNATURE_SCHEMES)),
    defaultOptions.signatureSchemes
  )
})

/** `API_*` and `SERVICE_ID`. */
export const api = map(
  warn(
    all({
      url: required("API_BASE_URL", httpUrl, "the http:// or https:// URL of the jobs API"),
      requests,
      rejectStatuses: withDefault("API_REJECT_STATUSES", statuses, defaultOptions.rejectStatuses)
    }),
    ({ url }) =>
      url.protocol === "http:" && !isLoopback(url)
        ? [
            {
              variable: "API_BASE_URL",
              problem: "is http:// to another host: events travel unencrypted; https:// protects them"
            }
          ]
        : []
  ),
  ({ requests, url, ...rest }) => ({ apiBaseUrl: url.href.replace(/\/+$/, ""), ...requests, ...rest })
)

const privateKeyIn = (text: Redacted.Redacted<string>) =>
  Result.mapBoth(parsePrivateKey(text), {
    onFailure: (problem) => `must be ${PRIVATE_KEY_FORMS}: it ${problem}`,
    onSuccess: () => text
  })

/** `ED25519_PRIVATE_KEY_FILE`. */
export const privateKeyFile = file("ED25519_PRIVATE_KEY_FILE", privateKeyIn)

/** `ED25519_*`: the key is known to be one; whether the public key belongs to it is found when the signer is built. */
export const signing = all({
  privateKey: andThen(
    either(
      ["ED25519_PRIVATE_KEY", optional("ED25519_PRIVATE_KEY", (text) => privateKeyIn(Redacted.make(text)))],
      ["ED25519_PRIVATE_KEY_FILE", privateKeyFile]
    ),
    ([direct, ofFile]): Result.Result<Redacted.Redacted<string>, ReadonlyArray<SettingProblem>> => {
      const key = direct ?? ofFile
      return key === undefined
        ? Result.fail([
            {
              variable: "ED25519_PRIVATE_KEY",
              problem: `or ED25519_PRIVATE_KEY_FILE must be set: ${PRIVATE_KEY_FORMS} (create one with \`job-collector keygen\`)`
            }
          ])
        : Result.succeed(key)
    }
  ),
  publicKey: optional("ED25519_PUBLIC_KEY", (text) =>
    Result.mapBoth(parsePublicKey(text), {
      onFailure: (problem) => `must be ${PUBLIC_KEY_FORMS}: it ${problem}`,
      onSuccess: () => text
    })
  )
})

const STREAMS = {
  transcribe: "STREAM_TRANSCRIBE",
  process: "STREAM_PROCESS",
  dlq: "STREAM_DLQ",
  abandoned: "STREAM_ABANDONED"
} as const satisfies Record<keyof StreamSet, string>

const ROLES = Object.keys(STREAMS) as ReadonlyArray<keyof StreamSet>

const names = (parse: Parse<string>) =>
  all({
    transcribe: withDefault(STREAMS.transcribe, parse, defaultStreams.transcribe),
    process: withDefault(STREAMS.process, parse, defaultStreams.process),
    dlq: withDefault(STREAMS.dlq, parse, defaultStreams.dlq),
    abandoned: withDefault(STREAMS.abandoned, parse, defaultStreams.abandoned)
  })

/** Rules between the variables, whatever is in them. */
const streamRules = check(
  all({ given: names(Result.succeed), shards: isSet("STREAM_SHARDS") }),
  ({ given, shards }) => {
    const problems: Array<SettingProblem> = []
    const sharded = ROLES.filter((role) => given[role].includes("{shard}"))
    if (shards) {
      for (const role of ROLES) {
        if (sharded.includes(role)) continue
        problems.push({ variable: STREAMS[role], problem: "must contain {shard}, because STREAM_SHARDS is set" })
      }
    } else if (sharded.length > 0) {
      const used = sharded.map((role) => STREAMS[role]).join(", ")
      problems.push({ variable: "STREAM_SHARDS", problem: `must be set, because ${used} contains {shard}` })
    }
    for (const [index, role] of ROLES.entries()) {
      const same = ROLES.slice(0, index).find((earlier) => given[earlier] === given[role])
      if (same !== undefined) {
        problems.push({ variable: STREAMS[role], problem: `must not be the same as ${STREAMS[same]}` })
      }
    }
    return problems
  }
)

const shardName = matching(/^[^\s{}]+$/, "comma-separated shard names without whitespace or braces")

const streamSets = map(
  all({
    given: names(name),
    shards: optional("STREAM_SHARDS", distinctList(shardName)),
    rules: streamRules
  }),
  ({ given, shards }): ReadonlyArray<StreamSet> =>
    shards === undefined
      ? [given]
      : shards.map((shard) => ({
          transcribe: shardedKey(given.transcribe, shard),
          process: shardedKey(given.process, shard),
          dlq: shardedKey(given.dlq, shard),
          abandoned: shardedKey(given.abandoned, shard)
        }))
)

/** `STREAM_*` and `CONSUMER_GROUP`: where events stand, and whose they are. */
export const streams = all({
  streams: streamSets,
  consumerGroup: withDefault("CONSUMER_GROUP", name, defaultOptions.consumerGroup)
})

/** `CONSUMER_NAME`, `GROUP_START_ID` and `SOURCE_RETENTION`. The host's name is the consumer's where it has none. */
export const consumer = (hostName: string) =>
  all({
    consumerName: withDefault("CONSUMER_NAME", name, hostName),
    groupStartId: withDefault("GROUP_START_ID", startId, defaultOptions.groupStartId),
    sourceRetention: withDefault(
      "SOURCE_RETENTION",
      wordOrDuration("none", "acknowledged"),
      defaultOptions.sourceRetention
    )
  })

/** `OUTCOME_RETENTION`. */
export const outcomes = all({
  outcomeRetention: withDefault("OUTCOME_RETENTION", wordOrDuration("none"), defaultOptions.outcomeRetention)
})

/** `EVENT_*`: how far an event's time may be from now. */
export const eventTimes = all({
  eventMaxAge: withDefault("EVENT_MAX_AGE", duration, defaultOptions.eventMaxAge),
  eventMaxSkew: withDefault("EVENT_MAX_SKEW", duration, defaultOptions.eventMaxSkew)
})

/** Fields of the built-in kinds separated by commas, or `none`. */
const fieldsOrNone: Parse<ReadonlyArray<string>> = (text) =>
  text === "none"
    ? Result.succeed([])
    : Result.mapError(distinctList(oneOf(...partitionFields))(text), (problem) => `${problem}, or \`none\` alone`)

/** A share of something, never none of it. */
const shareAboveNone: Parse<number> = (text) =>
  Result.filterOrFail(
    share(text),
    (number) => number > 0,
    () => "must be above 0"
  )

/** How events are worked on and how long things may take. */
export const delivery = all({
  deliveryConcurrency: withDefault("DELIVERY_CONCURRENCY", integer(1, 10_000), defaultOptions.deliveryConcurrency),
  deliveryRate: withDefault("DELIVERY_RATE", rateOrNone, defaultOptions.deliveryRate),
  dlqHold: withDefault("DLQ_HOLD", integer(1, 10_000_000), defaultOptions.dlqHold),
  claimIdle: withDefault("CLAIM_IDLE", duration, defaultOptions.claimIdle),
  maxDeliveries: withDefault("MAX_DELIVERIES", integer(1, 1_000_000), defaultOptions.maxDeliveries),
  circuitBreaker: withDefault("CIRCUIT_BREAKER", onOff, defaultOptions.circuitBreaker),
  isolateBy: withDefault("ISOLATE_BY", fieldsOrNone, defaultOptions.isolateBy),
  isolateShare: withDefault("ISOLATE_SHARE", shareAboveNone, defaultOptions.isolateShare)
})

/** `HEALTH_INTERVAL` and `SHUTDOWN_TIMEOUT`. */
export const lifecycle = all({
  healthInterval: withDefault("HEALTH_INTERVAL", duration, defaultOptions.healthInterval),
  shutdownTimeout: withDefault("SHUTDOWN_TIMEOUT", duration, defaultOptions.shutdownTimeout)
})

/** All that the collector's loops take, {@link CollectorOptions}. */
export const collector = (hostName: string) =>
  map(
    all({
      api,
      streams,
      consumer: consumer(hostName),
      delivery,
      eventTimes,
      outcomes,
      lifecycle,
      configSync,
      alerts,
      own: constant({
        name: defaultOptions.name,
        builtInKinds: defaultOptions.builtInKinds,
        apiProbe: defaultOptions.apiProbe,
        kinds: defaultOptions.kinds
      })
    }),
    ({ configSync: { enabled, ...sync }, ...groups }): CollectorOptions => ({
      ...groups.api,
      ...groups.streams,
      ...groups.consumer,
      ...groups.delivery,
      ...groups.eventTimes,
      ...groups.outcomes,
      ...groups.lifecycle,
      configSync: enabled ? sync : undefined,
      alerts: groups.alerts,
      ...groups.own
    })
  )
