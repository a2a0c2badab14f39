/** job-collector as a library: what another Effect app composes (contract section 9). */

// For API authors: the verifier of what the collector signs.
export type { Ed25519 } from "./domain/ed25519.ts"
export { InvalidEvent } from "./domain/entry.ts"
export * as EventKind from "./domain/eventKind.ts"
export type { Check, CheckStatus, HealthReport, Liveness, Readiness } from "./domain/health.ts"
export type { CollectorOptions, SourceRetention, StreamSet } from "./domain/options.ts"
export { defaultOptions, defaultStreams } from "./domain/options.ts"
export { type OptionProblem, OptionsError } from "./domain/optionsCheck.ts"
export type {
  Refusal,
  RefusalReason,
  SignedRequest,
  TrustedServices,
  VerifiedRequest
} from "./domain/requestVerification.ts"
export { retrySchedule } from "./domain/retry.ts"
// The collector.
export { JobCollector, type JobCollectorOptions } from "./JobCollector.ts"
export * as Environment from "./layers/Environment.ts"
export { native as nativeEd25519 } from "./layers/ed25519/native.ts"
export { noble as nobleEd25519 } from "./layers/ed25519/noble.ts"
export type { SignerOptions } from "./layers/ed25519/signer.ts"
export { layer as layerNodeGateway } from "./layers/gateway/NodeGateway.ts"
export { type IoRedisOptions, layer as layerIoRedis } from "./layers/IoRedis.ts"
export { layer as layerLeanHttpClient, type Options as LeanHttpClientOptions } from "./layers/LeanHttpClient.ts"
export { layer as layerMemoryRedis } from "./layers/MemoryRedis.ts"
export { layer as layerNativeSigner } from "./layers/NativeSigner.ts"
export { layer as layerNobleSigner } from "./layers/NobleSigner.ts"
export { layer as layerNodeProcesses } from "./layers/process/NodeProcesses.ts"
export {
  layer as layerRequestVerifier,
  makeRequestVerifier,
  type RequestVerifierOptions,
  type Verdict
} from "./layers/RequestVerifier.ts"
export type { Collector, CollectorError } from "./programs/collector.ts"
export type { Health } from "./programs/health.ts"
// The services it needs, and a layer or two for each.
export { Gateway, GatewayError } from "./services/Gateway.ts"
export { Processes } from "./services/Processes.ts"
export { Redis, RedisError } from "./services/Redis.ts"
export { RequestRefused, RequestVerifier, TrustedKeysError } from "./services/RequestVerifier.ts"
export { Signer, SignerError } from "./services/Signer.ts"
