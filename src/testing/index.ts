/**
 * The simulated world, and the layers that stand in for what an app needs outside of itself.
 *
 * @module job-collector/testing
 */

export * as MemoryRedis from "../layers/redis/memory/MemoryRedis.ts"
export { type MemoryConnection, type MemoryEngine, makeEngine } from "../layers/redis/memory/MemoryRedis.ts"
export * as MemoryFileSystem from "./MemoryFileSystem.ts"
export { type CrashKind, SimulatedDisk } from "./SimulatedDisk.ts"
export { SimulatedGateway } from "./SimulatedGateway.ts"
export { SimulatedProcesses } from "./SimulatedProcesses.ts"
export * as SimulatedSigner from "./SimulatedSigner.ts"
export { bugs } from "./simulation/bugs.ts"
export type { Violation } from "./simulation/checkers/checker.ts"
export { type Job, SimulatedJobsApi } from "./simulation/jobsApi.ts"
export type { Pace, Scenario } from "./simulation/scenario.ts"
export { scenarioOf } from "./simulation/seededScenario.ts"
export { shrink } from "./simulation/shrink.ts"
export {
  type Bug,
  type Progress,
  type SimulateOptions,
  simulate,
  type Tally,
  type Verdict
} from "./simulation/simulate.ts"
export { Chance } from "./world/chance.ts"
export * as Fault from "./world/faults.ts"
export type {
  Exchange,
  Host,
  HostContext,
  NetworkConditions,
  SimulatedRequest,
  SimulatedResponse
} from "./world/http.ts"
export type { TraceLine } from "./world/kernel.ts"
export type { LaunchedProcess } from "./world/launchedProcess.ts"
export type { Process } from "./world/process.ts"
export type { Executed } from "./world/redis.ts"
export type { Given, Overrides, Replica } from "./world/replica.ts"
export { type OwnFault, type Watcher, World, type WorldOptions } from "./world/world.ts"
