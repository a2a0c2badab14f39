/**
 * job-collector as a library: what another Effect app composes (contract section 9).
 *
 * @module job-collector
 */

export type { CommandFailed } from "./cli/hostCommandLine.ts"
export type {
  Abandoned,
  CircuitClosed,
  CircuitOpened,
  ConfigInstalled,
  Delivered,
  HappenedToEvent,
  Happening,
  HealthChanged,
  KindPaused,
  KindResumed,
  Missed,
  PutAside,
  Retried,
  RuleEnded,
  RuleSet
} from "./domain/delivery/happening.ts"
export { type RetrySchedule, retrySchedule } from "./domain/delivery/retry.ts"
export { InvalidEvent } from "./domain/events/entry.ts"
export * as EventKind from "./domain/events/eventKind.ts"
export type { GatewayOptions } from "./domain/gatewayConfig/options.ts"
export type { GivenConfigSync } from "./domain/options/givenOptions.ts"
export type {
  ApiCheck,
  Check,
  CheckName,
  CheckStatus,
  Checks,
  ConfigSyncCheck,
  ConsumerGroupsCheck,
  GatewayCheck,
  HealthReport,
  HeldPartition,
  Liveness,
  Readiness,
  RedisCheck,
  SigningKeyCheck,
  StreamCheck,
  TrafficCheck
} from "./domain/options/health.ts"
export type { CollectorOptions, SourceRetention, StreamSet } from "./domain/options/options.ts"
export { defaultOptions, defaultStreams } from "./domain/options/options.ts"
export { type OptionProblem, OptionsError } from "./domain/options/optionsCheck.ts"
export type { Ed25519 } from "./domain/signing/ed25519.ts"
export type { Rule as TrafficRule } from "./domain/traffic/rules.ts"
// The collector.
export {
  type CommandLineOptions,
  JobCollector,
  type JobCollectorOptions,
  type JobCollectorOptionsWithConfigSync
} from "./JobCollector.ts"
export { layer as layerNodeGateway } from "./layers/gateway/NodeGateway.ts"
export {
  layer as layerLeanHttpClient,
  type Options as LeanHttpClientOptions
} from "./layers/http/LeanHttpClientLayer.ts"
export { layer as layerNodeProcesses } from "./layers/node/NodeProcesses.ts"
export { type IoRedisOptions, layer as layerIoRedis } from "./layers/redis/ioredis/IoRedis.ts"
export { layer as layerMemoryRedis } from "./layers/redis/memory/MemoryRedis.ts"
export * as Environment from "./layers/settings/Environment.ts"
export { layer as layerNativeSigner } from "./layers/signing/NativeSigner.ts"
export { layer as layerNobleSigner } from "./layers/signing/NobleSigner.ts"
export { native as nativeEd25519 } from "./layers/signing/native.ts"
export { noble as nobleEd25519 } from "./layers/signing/noble.ts"
export { layer as layerRemoteSigner, type RemoteSignerOptions } from "./layers/signing/RemoteSigner.ts"
export { layer as layerRequestVerifier, type RequestVerifierOptions } from "./layers/signing/RequestVerifier.ts"
export type { SignerOptions } from "./layers/signing/signer.ts"
export type { Collector } from "./programs/collector.ts"
export { CollectorDied, type CollectorError, CollectorStopped, RedisRefused } from "./programs/collectorError.ts"
export type { Health } from "./programs/health/health.ts"
export type { Place as FailedPlace, Said as Failure } from "./programs/operator/failedEntry.ts"
export type { Group as FailureGroup, Grouping as FailureGrouping } from "./programs/operator/groups.ts"
export type { Progress as RedriveProgress } from "./programs/operator/redrive.ts"
export type {
  FailedEvent,
  ListOptions,
  Redrive,
  RedriveFilters,
  RedriveOptions,
  ReplayOptions
} from "./programs/operator/redriveControl.ts"
export { RedriveError } from "./programs/operator/redriveControl.ts"
export type { LiftOptions, RuleOptions, TrafficControl } from "./programs/traffic/trafficControl.ts"
export { TrafficControlError } from "./programs/traffic/trafficControl.ts"
// The services it needs, and a layer or two for each.
export { Gateway, GatewayError } from "./services/Gateway.ts"
export { type MetricName, metricNames } from "./services/metricNames.ts"
export { Processes } from "./services/Processes.ts"
export { Redis, RedisError } from "./services/Redis.ts"
export { RequestRefused, RequestVerifier, TrustedKeysError } from "./services/RequestVerifier.ts"
export { Signer, SignerError } from "./services/Signer.ts"
export type { RefusalReason, VerifiedRequest } from "./verifier/verdict.ts"
export type { SignedRequest } from "./verifier/verifier.ts"
