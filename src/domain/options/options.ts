import { Duration } from "effect"
import type { AlertOptions } from "../alerts/alert.ts"
import type { EventKind } from "../events/eventKind.ts"
import type { ConfigSyncOptions } from "../gatewayConfig/options.ts"
import type { SignatureScheme } from "../signing/signatureSchemes.ts"
import type { Rate } from "../traffic/rate.ts"

/**
 * One set of streams: keys in Redis. Each consumed stream of a set sends its failed events to the set's own DLQ. Several
 * sets are shards (contract section 2, `STREAM_SHARDS`). In Redis Cluster the four need a common hash tag.
 */
export interface StreamSet {
  /** Source stream of transcriptions; default `modelsgateway:events:transcribe`. `STREAM_TRANSCRIBE`. */
  readonly transcribe: string
  /** Source stream of model answers; default `modelsgateway:events:process`. `STREAM_PROCESS`. */
  readonly process: string
  /** Where failed events wait for their next attempt; default `modelsgateway:events:dlq`. `STREAM_DLQ`. */
  readonly dlq: string
  /** Where events go that are given up; default `modelsgateway:events:abandoned`. `STREAM_ABANDONED`. */
  readonly abandoned: string
}

/** What trims the source streams: nothing, what every group has acknowledged, or of that only what is older. */
export type SourceRetention = "none" | "acknowledged" | Duration.Duration

/**
 * What the collector is to do, resolved: every field has a value. `JobCollector.layer` takes them as a partial and fills in
 * {@link defaultOptions}; the names in capitals are the environment variables of the same meaning (contract section 2).
 * Durations are finite and greater than zero unless it says otherwise.
 */
export interface CollectorOptions {
  /** The jobs API, `http://` or `https://`; paths such as `/api/jobs/add` are appended. Required. `API_BASE_URL`. */
  readonly apiBaseUrl: string
  /** How long one request may take, from connecting to the last byte; default 10 seconds. `API_TIMEOUT`. */
  readonly apiTimeout: Duration.Duration
  /**
   * HTTP statuses (400 to 599) that no retry can help: the event is abandoned at once, as `rejected`. Empty: every HTTP error
   * is retried. Default 400, 413, 422. `API_REJECT_STATUSES`.
   */
  readonly rejectStatuses: ReadonlySet<number>
  /** Sent as `X-Service-Id` and signed: 1 to 64 letters, digits, `_` or `-`; default `job-collector`. `SERVICE_ID`. */
  readonly serviceId: string
  /**
   * How requests are signed: `v1`, the `Authorization` header, always; `rfc9421` and `standard-webhooks` beside it where they are
   * named. Default `v1`. `SIGNATURE_SCHEMES`.
   */
  readonly signatureSchemes: ReadonlyArray<SignatureScheme>
  /** The Redis consumer group, the same for all replicas; default `job-collector-group`. `CONSUMER_GROUP`. */
  readonly consumerGroup: string
  /**
   * This process's name in the group. One that is in use makes it `<name>-2` (contract section 6, "One owner"); one that
   * stays the same over restarts finds its own pending entries at once. Default `consumer-1`; the command uses the host
   * name. `CONSUMER_NAME`.
   */
  readonly consumerName: string
  /** Stream sets to read, at least one; default {@link defaultStreams} alone. `STREAM_*`, `STREAM_SHARDS`. */
  readonly streams: ReadonlyArray<StreamSet>
  /**
   * Where a source stream's group starts if it does not exist yet: `$` (new entries only), `0` (everything) or an entry's
   * id. A DLQ's group always starts at `0`. Default `$`. `GROUP_START_ID`.
   */
  readonly groupStartId: string
  /** The most requests in flight, at least 1; default 64. `DELIVERY_CONCURRENCY`. */
  readonly deliveryConcurrency: number
  /**
   * The most requests in a time, of all replicas of the group together: `{ count: 200, perMs: 1_000 }`; over a second, a
   * minute or an hour; default none. The traffic rule `limit` can lower it. `DELIVERY_RATE`.
   */
  readonly deliveryRate: Rate | undefined
  /** The most DLQ entries held in memory until they are due (ids and times only); default 10,000. `DLQ_HOLD`. */
  readonly dlqHold: number
  /**
   * How long an entry must be idle before another consumer takes it over; default 60 seconds. Owned entries are kept alive
   * well within it. `CLAIM_IDLE`.
   */
  readonly claimIdle: Duration.Duration
  /** An entry handed out more often than this without reaching an end is abandoned as `poison`; default 10. `MAX_DELIVERIES`. */
  readonly maxDeliveries: number
  /** How old `completed_at` may be when an event is first read; default 7 days. May be infinite. `EVENT_MAX_AGE`. */
  readonly eventMaxAge: Duration.Duration
  /** How far `completed_at` may lie in the future, 0 or more; default 5 minutes. May be infinite. `EVENT_MAX_SKEW`. */
  readonly eventMaxSkew: Duration.Duration
  /** What trims the source streams; default `none`. A duration keeps acknowledged entries for as long. `SOURCE_RETENTION`. */
  readonly sourceRetention: SourceRetention
  /**
   * How long `why` can tell how a delivered event ended (job id, attempts, credits, time); default `none`: not at all. Each
   * outcome takes some 300 bytes in Redis for as long. `OUTCOME_RETENTION`.
   */
  readonly outcomeRetention: "none" | Duration.Duration
  /** Whether an outage of the API stops deliveries instead of burning attempts; default true. `CIRCUIT_BREAKER`. */
  readonly circuitBreaker: boolean
  /**
   * The fields whose values are partitions, none of which can stop the others (contract section 6, "One cannot stop all"): of a
   * built-in kind `model`, `user_id`, `device_id`, `session_id`, of the app's own kinds any, by its name in the event. From the
   * broadest to the narrowest. Empty: nothing is isolated. Default `model`, `user_id`. `ISOLATE_BY`.
   */
  readonly isolateBy: ReadonlyArray<string>
  /**
   * The share of the permits that one partition may have while others want some: above 0, at most 1; default 0.5. Never less
   * than one permit. `ISOLATE_SHARE`.
   */
  readonly isolateShare: number
  /** How long a stop waits for requests in flight; default 25 seconds. `SHUTDOWN_TIMEOUT`. */
  readonly shutdownTimeout: Duration.Duration
  /** How often Redis, key, groups and API are checked; default 15 seconds. `HEALTH_INTERVAL`. */
  readonly healthInterval: Duration.Duration
  /** Configuration sync; `undefined`, the default, switches it off. (The command has it on.) `CONFIG_SYNC`, `CONFIG_*`. */
  readonly configSync: ConfigSyncOptions | undefined
  /**
   * Where alerts are posted (contract section 8, "Told by itself"); `undefined`, the default: nowhere. `ALERT_WEBHOOK_URL`,
   * `ALERT_WEBHOOK_FORMAT`.
   */
  readonly alerts: AlertOptions | undefined
  /**
   * Tells several collectors of one process apart: the label `collector` of its metrics; 1 to 64 letters, digits, `_` or `-`.
   * Default none, and no label. No environment variable.
   */
  readonly name: string | undefined
  /** Whether transcribe and process are read, two of each set; default true. No environment variable. */
  readonly builtInKinds: boolean
  /**
   * Whether health asks the API for its configurations where nothing else was asked of it for a while; default true.
   * No environment variable.
   */
  readonly apiProbe: boolean
  /** Event kinds of the app's own, beside transcribe and process; default none. No environment variable. */
  readonly kinds: ReadonlyArray<EventKind>
}

/** The streams of a single set, as `STREAM_*` default to. */
export const defaultStreams: StreamSet = {
  transcribe: "modelsgateway:events:transcribe",
  process: "modelsgateway:events:process",
  dlq: "modelsgateway:events:dlq",
  abandoned: "modelsgateway:events:abandoned"
}

/** Every option's default; only `apiBaseUrl` has none. */
export const defaultOptions: Omit<CollectorOptions, "apiBaseUrl"> = {
  apiTimeout: Duration.seconds(10),
  rejectStatuses: new Set([400, 413, 422]),
  serviceId: "job-collector",
  signatureSchemes: ["v1"],
  consumerGroup: "job-collector-group",
  consumerName: "consumer-1",
  streams: [defaultStreams],
  groupStartId: "$",
  deliveryConcurrency: 64,
  deliveryRate: undefined,
  dlqHold: 10_000,
  claimIdle: Duration.seconds(60),
  maxDeliveries: 10,
  eventMaxAge: Duration.days(7),
  eventMaxSkew: Duration.minutes(5),
  sourceRetention: "none",
  outcomeRetention: "none",
  circuitBreaker: true,
  isolateBy: ["model", "user_id"],
  isolateShare: 0.5,
  shutdownTimeout: Duration.seconds(25),
  healthInterval: Duration.seconds(15),
  configSync: undefined,
  alerts: undefined,
  name: undefined,
  builtInKinds: true,
  apiProbe: true,
  kinds: []
}

/** The key of a shard's stream: `{shard}` in the name replaced. */
export const shardedKey = (name: string, shard: string): string => name.replaceAll("{shard}", shard)
