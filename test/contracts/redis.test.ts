import { Redacted } from "effect"
import { layer } from "../../src/layers/redis/ioredis/IoRedis.ts"
import { overRealRedis } from "./real-redis.ts"
import { redisContract } from "./redis-contract.ts"

const ioredis = overRealRedis((url) => layer({ url: Redacted.make(url) }))

redisContract("ioredis", ioredis, { connects: true })
