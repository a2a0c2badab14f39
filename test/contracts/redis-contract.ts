import { layer } from "@effect/vitest"
import type { Layer } from "effect"
import { describe } from "vitest"
import type { Redis } from "../../src/services/Redis.ts"
import { blockingContract } from "./blocking-contract.ts"
import { connectionsContract } from "./connections-contract.ts"
import { eventStreamsContract } from "./event-streams-contract.ts"
import { groupsContract } from "./groups-contract.ts"
import { keysContract } from "./keys-contract.ts"
import { scriptsContract } from "./scripts-contract.ts"
import { streamsContract } from "./streams-contract.ts"

/**
 * What this project relies on in Redis: commands, replies, errors, waiting reads and its scripts. Registers the suite
 * for any driver or server; it empties the server before each test, and runs on the real clock. What concerns connections
 * it asks only of a driver that has some: not of an engine in this process.
 */
export const redisContract = (
  name: string,
  redis: Layer.Layer<Redis, unknown>,
  { connects }: { readonly connects: boolean }
): void => {
  layer(redis, { excludeTestServices: true })(name, (it) => {
    describe("streams", () => streamsContract(it))
    describe("groups", () => groupsContract(it))
    describe("keys", () => keysContract(it))
    describe("scripts", () => scriptsContract(it))
    describe("waiting reads", () => blockingContract(it))
    describe("event streams", () => eventStreamsContract(it))
    if (connects) describe("connections", () => connectionsContract(it))
  })
}
