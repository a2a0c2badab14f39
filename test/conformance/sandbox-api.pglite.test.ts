import { startEmbedded } from "../../sandbox/database/embedded.ts"
import { freePort } from "../support/redis-server.ts"
import { conformanceSuite } from "./conformanceSuite.ts"

conformanceSuite("the sandbox's API on PGlite", async () => ({
  ...(await startEmbedded(await freePort())),
  connections: 1
}))
