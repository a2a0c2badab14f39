import { PostgresServer } from "../support/postgres-server.ts"
import { apiSuite } from "./apiSuite.ts"

apiSuite("the jobs API on PostgreSQL", async () => {
  const server = await PostgresServer.start()
  return {
    url: server.url,
    connections: 4,
    stop: () => server.stop(),
    restart: async () => {
      await server.down()
      return () => server.up()
    }
  }
})
