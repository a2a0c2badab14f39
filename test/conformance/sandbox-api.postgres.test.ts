import { PostgresServer } from "../support/postgres-server.ts"
import { conformanceSuite } from "./conformanceSuite.ts"

conformanceSuite("the sandbox's API on PostgreSQL", async () => {
  const server = await PostgresServer.start()
  return { url: server.url, connections: 4, stop: () => server.stop() }
})
