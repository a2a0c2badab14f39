import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { overRealRedis } from "./real-redis.ts"
import { redisContract } from "./redis-contract.ts"

const resp3 = overRealRedis((url) => NodeRedis.layer({ url }))
const resp2 = overRealRedis((url) => NodeRedis.layer({ url, RESP: 2 }))

redisContract("NodeRedis with its defaults (RESP3)", resp3, { connects: true })
redisContract("NodeRedis, RESP2", resp2, { connects: true })
