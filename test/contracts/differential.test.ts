import { describe, it } from "@effect/vitest"
import { Effect, Redacted, Result } from "effect"
import { afterAll, beforeAll, expect } from "vitest"
import { layer as ioRedisLayer } from "../../src/layers/redis/ioredis/IoRedis.ts"
import { layer as memoryLayer } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { Redis } from "../../src/services/Redis.ts"
import { scriptName } from "../../src/services/Scripts.ts"
import { RedisServer } from "../support/redis-server.ts"
import { comparableError, comparableReply, errorCode, isFollowed, tellsConsumers } from "./comparable.ts"
import { type RandomCommand, RandomCommands } from "./random-commands.ts"

/** More for a longer search by hand: `DIFFERENTIAL_SEEDS=1,2,3 DIFFERENTIAL_COMMANDS=50000 vitest run …`. */
const COMMANDS = Number(process.env.DIFFERENTIAL_COMMANDS ?? 10_000)
const SEEDS = (process.env.DIFFERENTIAL_SEEDS ?? "1,2,3").split(",").map(Number)
/** How many of the last commands a mismatch shows. */
const SHOWN = 25

let server: RedisServer
beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(() => server.stop())

interface Answer {
  readonly reply: unknown
  /** What is compared. */
  readonly text: string
  readonly kind: "error" | "nothing" | "something"
}

const EMPTY = new Set(["null", "0", "[]", "[[],[]]"])

const ask = (redis: Redis["Service"], command: RandomCommand): Effect.Effect<Answer> =>
  Effect.map(Effect.result(redis.send(...command)), (result) => {
    if (Result.isFailure(result)) {
      const { cause } = result.failure
      return { reply: undefined, text: comparableError(cause instanceof Error ? cause.message : "?"), kind: "error" }
    }
    const text = JSON.stringify(comparableReply(command, result.success))
    return { reply: result.success, text, kind: EMPTY.has(text) ? "nothing" : "something" }
  })

/** A command's name, with the script's for EVAL. */
const nameOf = ([name, lua = ""]: RandomCommand) => (name === "EVAL" ? `EVAL ${scriptName(lua)}` : name)
const shown = (command: RandomCommand) => [nameOf(command), ...command.slice(command[0] === "EVAL" ? 2 : 1)].join(" ")

describe("memory engine and Redis", () => {
  for (const seed of SEEDS) {
    it.live(
      `answer ${COMMANDS} random commands alike (seed ${seed})`,
      () =>
        Effect.gen(function* () {
          const real = yield* Redis
          const memory = yield* Effect.provide(Redis, memoryLayer)
          yield* real.send("FLUSHALL")
          const exact = isFollowed(yield* real.send<string>("INFO", "server"))
          const alike = (command: RandomCommand, one: Answer, other: Answer) => {
            if (one.text === other.text) return true
            if (exact) return false
            return tellsConsumers(command) || (one.kind === "error" && errorCode(one.text) === errorCode(other.text))
          }
          const commands = new RandomCommands(seed)
          const last: Array<string> = []
          const met = new Map<string, number>()
          for (let step = 1; step <= COMMANDS; step++) {
            const command = commands.next()
            const [fromRedis, fromMemory] = yield* Effect.all([ask(real, command), ask(memory, command)])
            commands.learn(command, fromRedis.reply)
            last.push(`${shown(command)}\n      -> ${fromRedis.text}`)
            if (last.length > SHOWN) last.shift()
            if (!alike(command, fromRedis, fromMemory)) {
              expect.fail(
                `seed ${seed}, step ${step}: ${shown(command)}\n  Redis:  ${fromRedis.text}\n  memory: ${fromMemory.text}\n` +
                  `  the last commands and what Redis answered:\n    ${last.join("\n    ")}`
              )
            }
            const name = nameOf(command)
            met.set(name, (met.get(name) ?? 0) + (fromRedis.kind === "something" ? 1 : 0))
            met.set(fromRedis.kind, (met.get(fromRedis.kind) ?? 0) + 1)
          }
          // A run is worth something only if commands meet something: every script and command must have.
          const idle = [...met].filter(
            ([name, times]) => times === 0 && name !== "NONSENSE" && name !== "EVAL undefined"
          )
          expect(idle).toEqual([])
          expect((met.get("error") ?? 0) / COMMANDS).toBeLessThan(0.35)
        }).pipe(Effect.provide(ioRedisLayer({ url: Redacted.make(server.url) }))),
      600_000
    )
  }
})
