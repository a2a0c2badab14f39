import { Duration } from "effect"
import type { EventKind } from "../events/eventKind.ts"
import type { ConfigSyncOptions } from "../gatewayConfig/options.ts"

/** One set of streams: keys in Redis. A shard is one such set of several (contract section 2, `STREAM_SHARDS`). */
export interface StreamSet {
  readonly transcribe: string
  readonly process: string
  readonly dlq: string
  readonly abandoned: string
}

/** What trims the source streams: nothing, what every group has acknowledged, or of that only what is older. */
export type SourceRetention = "none" | "acknowledged" | Duration.Duration

/** What the collector is to do, resolved: the defaults are those of contract section 2. */
export interface CollectorOptions {
  readonly apiBaseUrl: string
  readonly apiTimeout: Duration.Duration
  readonly rejectStatuses: ReadonlySet<number>
  readonly serviceId: string
  readonly consumerGroup: string
  readonly consumerName: string
  readonly streams: ReadonlyArray<StreamSet>
  /** `$`, `0` or an id: where a source group that does not exist yet starts. */
  readonly groupStartId: string
  readonly deliveryConcurrency: number
  readonly dlqHold: number
  readonly claimIdle: Duration.Duration
  readonly maxDeliveries: number
  readonly eventMaxAge: Duration.Duration
  readonly eventMaxSkew: Duration.Duration
  readonly sourceRetention: SourceRetention
  readonly circuitBreaker: boolean
  readonly shutdownTimeout: Duration.Duration
  readonly healthInterval: Duration.Duration
  /** Configuration sync; undefined switches it off. */
  readonly configSync: ConfigSyncOptions | undefined
  /** Event kinds of the host app's own, next to transcribe and process. */
  readonly kinds: ReadonlyArray<EventKind>
}

export const defaultStreams: StreamSet = {
  transcribe: "modelsgateway:events:transcribe",
  process: "modelsgateway:events:process",
  dlq: "modelsgateway:events:dlq",
  abandoned: "modelsgateway:events:abandoned"
}

export const defaultOptions: Omit<CollectorOptions, "apiBaseUrl"> = {
  apiTimeout: Duration.seconds(10),
  rejectStatuses: new Set([400, 413, 422]),
  serviceId: "job-collector",
  consumerGroup: "job-collector-group",
  consumerName: "consumer-1",
  streams: [defaultStreams],
  groupStartId: "$",
  deliveryConcurrency: 64,
  dlqHold: 10_000,
  claimIdle: Duration.seconds(60),
  maxDeliveries: 10,
  eventMaxAge: Duration.days(7),
  eventMaxSkew: Duration.minutes(5),
  sourceRetention: "none",
  circuitBreaker: true,
  shutdownTimeout: Duration.seconds(25),
  healthInterval: Duration.seconds(15),
  configSync: undefined,
  kinds: []
}

/** The key of a shard's stream: `{shard}` in the name replaced. */
export const shardedKey = (name: string, shard: string): string => name.replaceAll("{shard}", shard)
