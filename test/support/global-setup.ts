import { preparePostgres } from "./postgres-server.ts"
import { ensureRedisServer } from "./redis-binary.ts"

/** Makes sure of what the tests need from the system, before any test runs. */
export const setup = (): void => {
  process.env.REDIS_SERVER_BINARY = ensureRedisServer()
  preparePostgres()
}
