import { ensureRedisServer } from "./redis-binary.ts"

/** Makes sure of the one thing the tests need from the system, before any test runs. */
export const setup = (): void => {
  process.env.REDIS_SERVER_BINARY = ensureRedisServer()
}
