import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { entriesBefore } from "../../src/programs/redis/entriesBefore.ts"
import { ReadSize } from "../../src/programs/redis/readSize.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { Redis } from "../../src/services/Redis.ts"

const megabytes = (count: number, of: number) =>
  Array.from({ length: of }, () => ({ fields: ["x".repeat(count * 2 ** 20)] }))
const small = (of: number) => Array.from({ length: of }, () => ({ fields: ["field", "value"] }))

describe("how much is read at a time", () => {
  it("grows from a few entries to all that is welcome while entries are small", () => {
    const size = new ReadSize()
    const asked = Array.from({ length: 5 }, () => {
      const count = size.of(64)
      size.note(small(count))
      return count
    })
    assert.deepStrictEqual(asked, [8, 32, 64, 64, 64])
  })

  it("is as many large entries as 8 MiB hold, one where each is larger, and grows again behind them", () => {
    const size = new ReadSize()
    for (let i = 0; i < 4; i++) size.note(small(64))
    size.note([...small(10), ...megabytes(1, 1), ...small(10)])
    assert.strictEqual(size.of(64), 8)
    size.note(megabytes(12, 1))
    assert.strictEqual(size.of(64), 1)
    size.note([])
    assert.strictEqual(size.of(64), 1)
    size.note(small(1))
    assert.strictEqual(size.of(64), 4)
  })

  it.effect("loses no entry where pages of a stream are counted, the largest id among them", () =>
    Effect.gen(function* () {
      const streams = yield* EventStreams

      const redis = yield* Redis
      for (let i = 1; i <= 30; i++) yield* redis.send("XADD", "s", `${i}-1`, "f", "v")
      const largest = "18446744073709551615-18446744073709551615"
      assert.deepStrictEqual(yield* entriesBefore(streams, "s", "21-1"), { count: 21, more: false })
      yield* redis.send("XADD", "s", largest, "f", "v")
      assert.deepStrictEqual(yield* entriesBefore(streams, "s", largest), { count: 31, more: false })
    }).pipe(Effect.provide(EventStreamsLayer.layer.pipe(Layer.provideMerge(MemoryRedis.layer))))
  )
})
