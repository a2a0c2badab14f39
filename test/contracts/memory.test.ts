import { layer } from "../../src/layers/MemoryRedis.ts"
import { redisContract } from "./redis-contract.ts"

redisContract("memory engine", layer)
