import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { afterAll, beforeAll } from "vitest"
import { atOnce, eventually, failureOf, withRedis } from "../support/redis-checks.ts"
import { RedisCluster } from "../support/redis-cluster.ts"
import { redisCommand } from "../support/redis-command.ts"
import { waitUntil } from "../support/redis-server.ts"

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await RedisCluster.start({ replicas: 1 })
})
afterAll(() => cluster.stop())

const options = () => ({ url: "redis://ignored", cluster: cluster.addresses.slice(0, 1) })
/** A key, for each of the three masters. */
const tags = ["{b}", "{c}", "{a}"]

describe("a Redis Cluster", () => {
  it.live("gets each command at the master of its key", () =>
    withRedis(options(), (redis) =>
      Effect.gen(function* () {
        for (const tag of tags) {
          const stream = `${tag}:events`
          const id = yield* redis.send<string>("XADD", stream, "*", "a", "1")
          yield* redis.send("XGROUP", "CREATE", stream, "g", "0")
          assert.strictEqual((yield* redis.send<ReadonlyArray<unknown>>("XINFO", "GROUPS", stream)).length, 1)
          const got = yield* Effect.scoped(
            Effect.flatMap(redis.reserve, (c) =>
              c.send("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "BLOCK", "1000", "STREAMS", stream, ">")
            )
          )
          assert.deepStrictEqual(got, [[stream, [[id, ["a", "1"]]]]])
          const lua = "redis.call('XADD', KEYS[2], '*', 'b', ARGV[1]) return redis.call('XACK', KEYS[1], 'g', ARGV[2])"
          assert.strictEqual(yield* redis.send("EVAL", lua, "2", stream, `${tag}:dlq`, "2", id), 1)
        }
        const owners = yield* Effect.promise(() =>
          Promise.all(tags.map(async (tag) => (await cluster.owner(await cluster.slot(tag))).port))
        )
        assert.strictEqual(new Set(owners).size, 3)
        assert.strictEqual(yield* redis.send("PING"), "PONG")
      })
    )
  )

  it.live("has scripts loaded on every master", () =>
    withRedis(options(), (redis) =>
      Effect.gen(function* () {
        const sha = yield* redis.send<string>("SCRIPT", "LOAD", "return KEYS[1]")
        for (const tag of tags) assert.strictEqual(yield* redis.send("EVALSHA", sha, "1", tag), tag)
      })
    )
  )

  it.live("is followed through a moving slot, on the shared and on a private connection", () =>
    withRedis(options(), (redis) =>
      Effect.scoped(
        Effect.gen(function* () {
          const slot = yield* Effect.promise(() => cluster.slot("{move}"))
          const from = yield* Effect.promise(() => cluster.owner(slot))
          const to = cluster.masters.find((node) => node.port !== from.port) ?? from
          yield* redis.send("XADD", "{move}:old", "*", "a", "1")
          yield* redis.send("XGROUP", "CREATE", "{move}:old", "g", "0")
          const connection = yield* redis.reserve
          const read = () =>
            connection.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "50", "STREAMS", "{move}:old", ">")
          assert.isNotNull(yield* read())
          yield* Effect.promise(() => cluster.beginMove(slot, to))
          // Not there yet, so the old owner says ASK.
          yield* redis.send("XADD", "{move}:new", "*", "b", "2")
          assert.strictEqual(
            yield* Effect.promise(() => redisCommand(to.port, "CLUSTER", "COUNTKEYSINSLOT", `${slot}`)),
            1
          )
          yield* Effect.promise(() => cluster.finishMove(slot, to))
          const id = yield* redis.send<string>("XADD", "{move}:old", "*", "a", "2")
          assert.deepStrictEqual(yield* read(), [["{move}:old", [[id, ["a", "2"]]]]])
          assert.isNull(yield* read())
          assert.strictEqual(yield* redis.send("XLEN", "{move}:old"), 2)
        })
      )
    )
  )

  it.live(
    "that loses a master fails its commands quickly and is back to work with the replica",
    () =>
      withRedis({ ...options(), cluster: cluster.addresses }, (redis) =>
        Effect.gen(function* () {
          const slot = yield* Effect.promise(() => cluster.slot("{a}"))
          const victim = yield* Effect.promise(() => cluster.owner(slot))
          yield* redis.send("XADD", "{a}:failover", "*", "a", "1")
          yield* Effect.promise(() => Promise.resolve(redisCommand(victim.port, "WAIT", "1", "20000")))
          const read = Effect.scoped(
            Effect.flatMap(redis.reserve, (c) => c.send("XREAD", "BLOCK", "60000", "STREAMS", "{a}:failover", "$"))
          )
          const blocked = yield* Effect.forkChild(failureOf(read))
          yield* Effect.promise(() =>
            waitUntil("a blocked reader", async () =>
              String(await redisCommand(victim.port, "INFO", "clients")).includes("blocked_clients:1")
            )
          )
          yield* Effect.promise(() => victim.down())
          assert.strictEqual((yield* Fiber.join(blocked)).kind, "Unavailable")
          const away = yield* failureOf(redis.send("XLEN", "{a}:failover"))
          assert.strictEqual(away.kind, "Unavailable")
          assert.isBelow(away.took, atOnce)
          yield* Effect.promise(() => cluster.takeOver(victim, slot))
          assert.isAtLeast(yield* eventually(redis.send<number>("XLEN", "{a}:failover")), 1)
          const again = yield* Effect.forkChild(read)
          const added = yield* eventually(
            Effect.filterOrFail(
              redis.send<string>("XADD", "{a}:failover", "*", "a", "2"),
              () => again.pollUnsafe() !== undefined,
              (id) => `not read: ${id}`
            )
          )
          assert.isString(added)
          assert.isNotNull(yield* Fiber.join(again))
        })
      ),
    90_000
  )

  it.live("none of whose nodes is there fails commands quickly", () =>
    Effect.gen(function* () {
      const { kind, took } = yield* failureOf(
        withRedis({ url: "redis://ignored", cluster: [{ host: "127.0.0.1", port: 1 }] }, (redis) =>
          redis.send("GET", "k")
        )
      )
      assert.strictEqual(kind, "Unavailable")
      assert.isBelow(took, atOnce)
    })
  )
})
