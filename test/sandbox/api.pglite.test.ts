import { startEmbedded } from "../../sandbox/database/embedded.ts"
import { freePort } from "../support/redis-server.ts"
import { apiSuite } from "./apiSuite.ts"

apiSuite("the jobs API on PGlite", async () => ({
  ...(await startEmbedded(await freePort())),
  connections: 1
}))
