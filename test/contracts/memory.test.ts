import { layer } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { redisContract } from "./redis-contract.ts"

redisContract("memory engine", layer, { connects: false })
