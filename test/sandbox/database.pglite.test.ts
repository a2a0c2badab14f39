import { startEmbedded } from "../../sandbox/database/embedded.ts"
import { freePort } from "../support/redis-server.ts"
import { databaseSuite } from "./databaseSuite.ts"

databaseSuite("the sandbox's database on PGlite", async () => ({
  ...(await startEmbedded(await freePort())),
  connections: 1
}))
