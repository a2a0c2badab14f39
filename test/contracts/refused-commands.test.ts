import { Effect, Layer, Redacted } from "effect"
import { afterAll, beforeAll } from "vitest"
import { layer as layerIoRedis } from "../../src/layers/redis/ioredis/IoRedis.ts"
import { makeEngine } from "../../src/layers/redis/memory/engine.ts"
import { layerOf } from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as Scripts from "../../src/services/Scripts.ts"
import { redisCommand } from "../support/redis-command.ts"
import { RedisServer } from "../support/redis-server.ts"
import { commandsOf, type RefusingServer, refusedCommands } from "./refused-commands.ts"

const refusingEngine = (): RefusingServer => {
  const engine = Effect.runSync(makeEngine)
  const withUser = (command: string | undefined) =>
    Layer.tap(layerOf(engine), () => Effect.sync(() => engine.permit((name) => name !== command)))
  return { all: withUser(undefined), without: withUser }
}

const engine = refusingEngine()
refusedCommands("memory engine", () => engine)

let redis: RedisServer | undefined

beforeAll(async () => {
  redis = await RedisServer.start()
  for (const command of new Set(Scripts.all.flatMap(commandsOf))) {
    const name = command.toLowerCase()
    await redisCommand(redis.port, "ACL", "SETUSER", `no-${name}`, "on", ">secret", "~*", "&*", "+@all", `-${name}`)
  }
})

afterAll(() => redis?.stop())

const connection = (user: string | undefined) => {
  const url = new URL(redis?.url ?? "")
  if (user !== undefined) Object.assign(url, { username: user, password: "secret" })
  return layerIoRedis({ url: Redacted.make(url.href) })
}

refusedCommands("Redis", () => ({
  all: connection(undefined),
  without: (command) => connection(`no-${command.toLowerCase()}`)
}))
