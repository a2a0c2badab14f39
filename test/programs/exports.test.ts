/** An export as a job: how far it is, who stops it, and what the audit says then. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { auditRecordOf } from "../../src/domain/audit/auditRecord.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { makeRedriveJobs } from "../../src/programs/operator/redriveJobs.ts"
import { noFilters } from "../../src/programs/operator/selection.ts"
import { auditKey, EventStreams } from "../../src/services/EventStreams.ts"
import { Redis } from "../../src/services/Redis.ts"
import { abandon } from "../support/console.ts"
import { abandoned, dlq, group, processing, transcribe } from "../support/streams.ts"

describe("an export", () => {
  it.effect("says how far it is, and breaks off when it is cancelled or its reader leaves", () =>
    Effect.gen(function* () {
      const streams = yield* EventStreams
      const redis = yield* Redis
      for (let i = 0; i < 5; i++) yield* abandon(redis, `e-${i}`)
      const jobs = yield* makeRedriveJobs(streams, [{ transcribe, process: processing, dlq, abandoned }], group)
      const request = { place: "abandoned", filters: noFilters, by: "bob", why: undefined } as const
      const read: Array<string> = []
      const reached = yield* Deferred.make<void>()
      const hangs = Stream.runForEach(yield* jobs.exportLines(request), (line) => {
        read.push(line)
        return read.length < 3 ? Effect.void : Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
      })
      const reader = yield* Effect.forkChild(Effect.exit(hangs))
      yield* Deferred.await(reached)
      const [going] = yield* jobs.list
      assert.deepStrictEqual([going?.request.action, going?.state, going?.total], ["abandoned export", "running", 5])
      yield* Fiber.interrupt(reader)
      const [left] = yield* jobs.list
      assert.strictEqual(left?.state, "cancelled")

      const started = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const slow = Stream.runForEach(yield* jobs.exportLines(request), () =>
        Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(goOn))
      )
      const other = yield* Effect.forkChild(Effect.exit(slow))
      yield* Deferred.await(started)
      const [second] = yield* jobs.list
      const cancelling = yield* Effect.forkChild(jobs.cancel(second?.id ?? ""))
      yield* Effect.yieldNow
      yield* Deferred.succeed(goOn, undefined)
      assert.strictEqual((yield* Fiber.join(cancelling))?.state, "cancelled")
      // Whoever reads sees that it is not whole.
      assert.isTrue(Exit.isFailure(yield* Fiber.join(other)))
      const acts = (yield* streams.latest(auditKey(transcribe), 10)).map(({ fields }) => auditRecordOf(fields))
      assert.deepStrictEqual(
        acts.map((act) => [act?.who, act?.action, act?.filter]),
        [
          ["bob", "abandoned export", "--all"],
          ["bob", "abandoned export", "--all"]
        ]
      )
    }).pipe(Effect.provide(EventStreamsLayer.layer.pipe(Layer.provideMerge(MemoryRedis.layer))))
  )
})
