/** job-collector as a library: what another Effect app composes (contract section 9). */

export { retrySchedule } from "./domain/delivery/retry.ts"
export { InvalidEvent } from "./domain/events/entry.ts"
export * as EventKind from "./domain/events/eventKind.ts"
export type { Check, CheckStatus, HealthReport, Liveness, Readiness } from "./domain/options/health.ts"
export type { CollectorOptions, SourceRetention, StreamSet } from "./domain/options/options.ts"
export { defaultOptions, defaultStreams } from "./domain/options/options.ts"
export { type OptionProblem, OptionsError } from "./domain/options/optionsCheck.ts"
export type { Ed25519 } from "./domain/signing/ed25519.ts"
// The collector.
export { JobCollector, type JobCollectorOptions } from "./JobCollector.ts"
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
export type { Collector, CollectorError } from "./programs/collector.ts"
export type { Health } from "./programs/health/health.ts"
// The services it needs, and a layer or two for each.
export { Gateway, GatewayError } from "./services/Gateway.ts"
export { Processes } from "./services/Processes.ts"
export { Redis, RedisError } from "./services/Redis.ts"
export { RequestRefused, RequestVerifier, TrustedKeysError } from "./services/RequestVerifier.ts"
export { Signer, SignerError } from "./services/Signer.ts"
export type { RefusalReason, VerifiedRequest } from "./verifier/verdict.ts"
export type { SignedRequest } from "./verifier/verifier.ts"
