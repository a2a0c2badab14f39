import { PostgresServer } from "../support/postgres-server.ts"
import { databaseSuite } from "./databaseSuite.ts"

databaseSuite("the sandbox's database on PostgreSQL", async () => {
  const server = await PostgresServer.start()
  return { url: server.url, connections: 4, stop: () => server.stop() }
})
