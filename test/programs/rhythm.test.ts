import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { Heartbeats } from "../../src/programs/supervision/heartbeats.ts"
import { repeatSteps, sleepToBeat } from "../../src/programs/supervision/loop.ts"
import { makeSupervisor } from "../../src/programs/supervision/supervise.ts"
import { travel } from "../support/time-machine.ts"

/** A loop that does something every so often, which takes a while; and when it began each time. */
const busy = (everyMs: number, takesMs: number, before?: number) => {
  const began: Array<number> = []
  const note = Effect.map(Clock.currentTimeMillis, (now) => void began.push(now))
  return { began, loop: repeatSteps(note, Effect.sleep(takesMs), sleepToBeat(everyMs, before)) }
}

describe("the loops of a collector", () => {
  it.effect("keep step, whenever they were started and however long their work takes", () =>
    Effect.gen(function* () {
      yield* travel(250)
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const [often, seldom] = [busy(1_000, 30), busy(2_000, 700)]
      yield* Effect.forkChild(supervisor.watch("often", often.loop))
      yield* travel(300, 50)
      yield* Effect.forkChild(supervisor.watch("seldom", seldom.loop))
      yield* travel(6_000, 50)
      assert.deepStrictEqual(often.began, [250, 1_250, 2_250, 3_250, 4_250, 5_250, 6_250])
      assert.deepStrictEqual(seldom.began, [550, 2_250, 4_250, 6_250])
    })
  )

  it.effect("skip a beat that is over or next to come, and none is late for something that comes before it", () =>
    Effect.gen(function* () {
      const supervisor = yield* makeSupervisor(new Heartbeats())
      const [slow, justBefore, early] = [busy(1_000, 1_200), busy(1_000, 980), busy(1_000, 10, 400)]
      yield* Effect.forkChild(supervisor.watch("slow", slow.loop))
      yield* Effect.forkChild(supervisor.watch("just-before", justBefore.loop))
      const first = yield* Effect.forkChild(supervisor.watch("early", early.loop))
      yield* travel(400, 20)
      first.interruptUnsafe()
      yield* travel(4_000, 20)
      assert.deepStrictEqual(slow.began, [0, 2_000, 4_000])
      assert.deepStrictEqual(justBefore.began, [0, 2_000, 4_000])
      assert.deepStrictEqual(early.began.slice(0, 2), [0, 400])
    })
  )
})
