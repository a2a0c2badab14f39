import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { hashSlot, hashTag, shareSlot } from "../../src/domain/delivery/hashSlot.ts"
import { redisCommand } from "../support/redis-command.ts"
import { RedisServer } from "../support/redis-server.ts"

const keys = ["", "a", "123456789", "{a}b", "{a}", "x{}y", "x{a}{b}", "{{a}}", "x}{a", "ä", "modelsgateway:events:dlq"]

it.live("the slot of a key is the one Redis says", () =>
  Effect.gen(function* () {
    const redis = yield* Effect.acquireRelease(
      Effect.promise(() => RedisServer.start(["--cluster-enabled", "yes"])),
      (server) => Effect.promise(() => server.stop())
    )
    for (const key of keys) {
      assert.strictEqual(
        hashSlot(key),
        yield* Effect.promise(() => redisCommand(redis.port, "CLUSTER", "KEYSLOT", key))
      )
    }
  }).pipe(Effect.scoped)
)

it("a hash tag is what stands between the first brace and the next that closes it", () => {
  assert.strictEqual(hashTag("{mg}:events:dlq"), "mg")
  assert.strictEqual(hashTag("x{}y"), "x{}y")
  assert.isTrue(shareSlot(["{mg}:a", "{mg}:b", "mg"]))
  assert.isFalse(shareSlot(["mg:a", "mg:b"]))
})
