import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Effect } from "effect"
import { makeEngine } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { exitZeroWhenAsked } from "../teardown.ts"
import { serveResp } from "./server.ts"

/** `node sandbox/resp/main.ts`: the memory engine served to Redis clients on `RESP_PORT`, for machines without Redis. */
Effect.gen(function* () {
  const port = yield* serveResp(yield* makeEngine, yield* Config.Port("RESP_PORT"))
  yield* Effect.logInfo(`Listening on redis://127.0.0.1:${port}`)
  return yield* Effect.never
}).pipe(Effect.scoped, NodeRuntime.runMain({ teardown: exitZeroWhenAsked }))
