/** job-collector as a library: what another Effect app composes (contract section 9). */

export * as EventKind from "./domain/eventKind.ts"
export type { CollectorOptions, SourceRetention, StreamSet } from "./domain/options.ts"
export { defaultOptions, defaultStreams } from "./domain/options.ts"
export { retrySchedule } from "./domain/retry.ts"
export { JobCollector, type JobCollectorOptions } from "./JobCollector.ts"
export { Gateway, GatewayError } from "./services/Gateway.ts"
export { Redis, RedisError } from "./services/Redis.ts"
export { Signer, SignerError } from "./services/Signer.ts"
