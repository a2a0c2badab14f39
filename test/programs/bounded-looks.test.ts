/** What would take long of a hundred thousand entries looks no farther than it is let, and says how far that was. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { type ActRequest, makeActing } from "../../src/programs/operator/actOnFailed.ts"
import { tell } from "../../src/programs/operator/eventHistory.ts"
import { searchedText } from "../../src/programs/operator/eventSearch.ts"
import { makeReport } from "../../src/programs/operator/report.ts"
import { markdown } from "../../src/programs/operator/reportText.ts"
import { noFilters, selectBoth } from "../../src/programs/operator/selection.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"
import { abandon } from "../support/console.ts"
import { abandoned, addEvent, dlq, group, lengthOf, processing, transcribe } from "../support/streams.ts"

const sets = [{ transcribe, process: processing, dlq, abandoned }]

/** So many abandoned events, one a millisecond. */
const world = <A, E>(count: number, test: Effect.Effect<A, E, Redis | EventStreams>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_000_000)
    const redis = yield* Redis
    for (let i = 0; i < count; i++) {
      yield* abandon(redis, `e-${i}`)
      yield* TestClock.adjust("1 millis")
    }
    return yield* test
  }).pipe(Effect.provide(EventStreamsLayer.layer.pipe(Layer.provideMerge(MemoryRedis.layer))))

describe("a report", () => {
  it.effect("ends when its time is up, with the latest, and says that there may be more", () =>
    world(
      2_500,
      Effect.gen(function* () {
        const selected = yield* selectBoth(yield* EventStreams, sets, noFilters)
        // Each page takes its time.
        const slowly = () => TestClock.adjust("600 millis")
        const made = yield* makeReport(selected, slowly, Duration.seconds(1))
        assert.isTrue(made.looked > 0 && made.looked < 2_500, String(made.looked))
        assert.deepStrictEqual([made.abandoned, made.isWhole], [made.looked, false])
        assert.strictEqual(made.last, 1_002_499)
        assert.include(
          markdown(made, "", 2_000_000).join("\n"),
          `Only the latest ${made.looked.toLocaleString("en-US")} entries were looked at`
        )
        const all = yield* makeReport(selected, slowly)
        assert.deepStrictEqual([all.abandoned, all.looked, all.isWhole], [2_500, 2_500, true])
        assert.notInclude(markdown(all, "", 2_000_000).join("\n"), "Only the latest")
      })
    )
  )
})

describe("a preview that did not look at all", () => {
  it.effect("means what it looked at, and no other, when it is acted on", () =>
    world(
      2_500,
      Effect.gen(function* () {
        const acting = makeActing(yield* EventStreams, sets, group)
        const asked: ActRequest = {
          action: "abandoned drop",
          filters: { ...noFilters, reasons: ["exhausted"] },
          all: false,
          limit: undefined,
          rate: 100,
          by: "anna",
          why: undefined
        }
        const { isWhole, looked, matched, since } = yield* acting.rehearse(asked, 1_000)
        assert.isTrue(looked >= 1_000 && looked < 2_500, String(looked))
        assert.deepStrictEqual([isWhole, matched, since], [false, looked, 1_002_500 - looked + 1])
        const meant = { ...asked, limit: matched, filters: { ...asked.filters, since } }
        const { done } = yield* acting.perform(
          meant,
          () => Effect.void,
          () => Effect.void
        )
        // Of the oldest one's millisecond not all may have been looked at.
        assert.strictEqual(done, looked - 1)
        const redis = yield* Redis
        const [oldest] = yield* redis.send<ReadonlyArray<readonly [string]>>(
          "XRANGE",
          abandoned,
          "-",
          "+",
          "COUNT",
          "1"
        )
        assert.strictEqual(oldest?.[0], "1000000-0")
        assert.strictEqual(yield* lengthOf(redis, abandoned), 2_500 - done)
        assert.strictEqual((yield* acting.rehearse(asked)).since, undefined)
      })
    )
  )
})

describe("why", () => {
  it.effect("reads an event where it was seen, and stops a search where it is found", () =>
    world(
      2_500,
      Effect.gen(function* () {
        const redis = yield* Redis
        const why = (...args: ReadonlyArray<string>) => commandOn(redis, "why", ...args)
        const [, [id = ""] = []] = (yield* redis.send<ReadonlyArray<readonly [string]>>(
          "XRANGE",
          abandoned,
          "-",
          "+",
          "COUNT",
          "2"
        )) ?? [[], []]
        const told = (yield* why("e-1", "--stream", abandoned, "--entry", id)).out.join("\n")
        assert.include(told, "abandoned as exhausted")
        assert.include(told, "nothing was looked through")
        const { looked } = JSON.parse((yield* why("e-2000", "--json")).out.join("\n"))
        assert.deepStrictEqual(
          looked.map(({ stream }: { stream: string }) => stream),
          [dlq, abandoned]
        )
        assert.isBelow(looked[1].looked, 2_500)
        assert.isTrue(JSON.parse((yield* why("e-2000", "--json", "--look-farther")).out.join("\n")).is_whole)
        assert.isFalse((yield* why("e-1", "--stream", abandoned)).ok)
        assert.isTrue((yield* why("e-1")).ok)
      })
    )
  )

  it.effect("says how far it looked where the time was up", () =>
    world(
      1,
      Effect.gen(function* () {
        const streams = yield* EventStreams
        for (let i = 0; i < 1_500; i++) yield* addEvent(yield* Redis, `w-${i}`)
        const slow = {
          ...streams,
          latest: (...args: Parameters<typeof streams.latest>) =>
            Effect.tap(streams.latest(...args), () => TestClock.adjust("600 millis"))
        }
        const { searched, verdict } = yield* tell(slow, group, sets, "w-none", { patience: Duration.seconds(1) })
        assert.strictEqual(verdict, "nothing was found of it as far as was looked")
        assert.match(
          searchedText(searched, 0) ?? "",
          /the latest [\d,]+ entries of \S+ \(back to .*before the time was up/
        )
      })
    )
  )
})
