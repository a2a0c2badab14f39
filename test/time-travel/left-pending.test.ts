/** What waits in the DLQ for a partition, too much to be held: nothing is asked of it while it may not go on, and it goes on at once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeDlqEntry, type Retry } from "../../src/domain/delivery/dlq.ts"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import { leaseKey, rulesKey } from "../../src/services/EventStreams.ts"
import type { Redis } from "../../src/services/Redis.ts"
import { scriptName } from "../../src/services/Scripts.ts"
import { transcribeFields } from "../support/events.ts"
import { addEvent, dlq, group, lengthOf, pendingCount, transcribe } from "../support/streams.ts"
import { ScriptedApi, success, travel, withCollector } from "../support/time-machine.ts"

const park = (redis: Redis["Service"], ...users: ReadonlyArray<string>) =>
  redis.send(
    "SET",
    rulesKey(transcribe, group),
    storedRules(users.map((value) => ({ kind: "park", field: "user_id", value, at: 0, by: "me" })))
  )

const addOf = (redis: Redis["Service"], user: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => `${user}.${i}`),
    (id) => addEvent(redis, id, { user_id: user }),
    { discard: true }
  )

/** Adds a DLQ entry of an event that was tried once, and is due. */
const addRetry = (redis: Redis["Service"], eventId: string, more: Partial<Retry> = {}) => {
  const retry: Retry = {
    attempt: 1,
    not_before: 0,
    origin_stream: transcribe,
    origin_id: "1-1",
    first_failed_at: 0,
    last_failed_at: 0,
    error_code: "HTTP_500",
    error_message: "",
    ...more
  }
  const fields = transcribeFields(eventId, 0, { user_id: eventId.split(".")[0] ?? "" })
  return redis.send<string>("XADD", dlq, "*", ...encodeDlqEntry(retry, fields))
}

/** Counts the commands about the DLQ that are sent while it is asked to. */
class DlqCommands {
  readonly counts = new Map<string, number>()

  readonly through = (redis: Redis["Service"]): Redis["Service"] => ({
    ...redis,
    send: (name, ...args) => {
      const script = name === "EVAL" ? scriptName(args[0] ?? "") : undefined
      if (args.includes(dlq)) this.counts.set(script ?? name, this.of(script ?? name) + 1)
      return redis.send(name, ...args)
    }
  })

  of(name: string): number {
    return this.counts.get(name) ?? 0
  }
}

/** Hands entries of the DLQ to a consumer that does nothing with them. */
const readBy = (redis: Redis["Service"], name: string, count: number) =>
  redis.send("XREADGROUP", "GROUP", group, name, "COUNT", String(count), "STREAMS", dlq, ">")

describe("events of a parked user, many more than DLQ_HOLD", () => {
  it.effect("cost nothing, not one look at any of them, and go on as soon as the user is unparked", () => {
    const api = new ScriptedApi()
    const commands = new DlqCommands()
    const options = { dlqHold: 10, isolateBy: ["user_id"] }
    return withCollector(
      api,
      options,
      (redis) =>
        Effect.gen(function* () {
          yield* park(redis, "u1")
          yield* travel(5_000)
          yield* addOf(redis, "u1", 100)
          yield* travel(5_000)
          assert.strictEqual(yield* pendingCount(redis, dlq), 90)
          commands.counts.clear()
          yield* travel(600_000, 20_000)
          assert.strictEqual(commands.of("XAUTOCLAIM"), 0)
          assert.strictEqual(commands.of("XRANGE"), 0)
          assert.strictEqual(commands.of("take"), 0)
          assert.strictEqual(commands.of("move"), 0)
          assert.deepStrictEqual(api.attempts, [])
          const unparkedAt = 610_000
          yield* park(redis)
          yield* travel(8_000)
          assert.strictEqual(api.delivered.length, 100, "each once")
          assert.isAtMost(api.attempts[0]?.at ?? 0, unparkedAt + 1_000)
          assert.isAtMost(api.attempts.at(-1)?.at ?? 0, unparkedAt + 5_000)
          assert.strictEqual(yield* lengthOf(redis, dlq), 0)
          assert.isAtMost(commands.of("XRANGE"), 10, "they are looked at page by page")
        }),
      undefined,
      commands.through
    )
  })

  it.effect(
    "are neither claimed as idle meanwhile nor looked at again and again, however long they take to go on",
    () => {
      const api = new ScriptedApi()
      const commands = new DlqCommands()
      api.answer = () => ({ ...success, delay: 1_000 })
      return withCollector(
        api,
        { dlqHold: 40, isolateBy: ["user_id"], deliveryConcurrency: 4 },
        (redis) =>
          Effect.gen(function* () {
            yield* park(redis, "u1")
            yield* travel(5_000)
            yield* addOf(redis, "u1", 140)
            yield* travel(120_000, 10_000)
            commands.counts.clear()
            yield* park(redis)
            // Until all of them are held, or gone.
            while ((yield* lengthOf(redis, dlq)) > 40) yield* travel(1_000)
            const claims = commands.of("XAUTOCLAIM")
            const pages = commands.of("XPENDING")
            api.answer = () => success
            yield* travel(20_000)
            assert.strictEqual(claims, 0)
            assert.isAtMost(pages, 40, "none is read for the sake of a single one that finds room")
            assert.strictEqual(api.delivered.length, 140, "each once")
          }),
        undefined,
        commands.through
      )
    }
  )

  it.effect("go on as soon as the pause is lifted, where the user was unparked during it", () => {
    const api = new ScriptedApi()
    return withCollector(api, { dlqHold: 10, isolateBy: ["user_id"] }, (redis) =>
      Effect.gen(function* () {
        yield* park(redis, "u1")
        yield* travel(5_000)
        yield* addOf(redis, "u1", 50)
        yield* travel(120_000, 10_000)
        yield* redis.send(
          "SET",
          rulesKey(transcribe, group),
          storedRules([{ kind: "pause", at: 0, by: "me", until: 245_000 }])
        )
        yield* travel(120_000 - 1, 10_000)
        assert.deepStrictEqual(api.attempts, [])
        yield* travel(1)
        assert.strictEqual(api.attempts[0]?.at, 245_000)
        yield* travel(6_000)
        assert.strictEqual(api.delivered.length, 50)
        assert.strictEqual(yield* lengthOf(redis, dlq), 0)
      })
    )
  })

  it.effect(
    "of a user whose circuit is open wait for its probes alone, and go on at the instant that one succeeds",
    () => {
      const api = new ScriptedApi()
      const commands = new DlqCommands()
      let well = false
      api.answer = ({ eventId }) => (eventId.startsWith("u1.") && !well ? { status: 503 } : success)
      const options = { dlqHold: 10, isolateBy: ["user_id"] }
      return withCollector(
        api,
        options,
        (redis) =>
          Effect.gen(function* () {
            yield* addOf(redis, "u2", 1)
            yield* travel(1_000)
            yield* addOf(redis, "u1", 100)
            yield* travel(120_000, 5_000)
            commands.counts.clear()
            const before = api.attempts.length
            yield* travel(300_000, 5_000)
            assert.strictEqual(api.attempts.length - before, 5, "one probe a minute")
            assert.strictEqual(commands.of("XAUTOCLAIM"), 0)
            assert.isAtMost(commands.of("take"), 5, "no entry is taken up but for a probe")
            well = true
            while (api.delivered.length < 2) yield* travel(1_000)
            const closedAt = api.attempts[before + 5]?.at ?? 0
            yield* travel(6_000)
            assert.strictEqual(api.delivered.length, 101, "each once")
            assert.isAtMost(api.attempts.at(-1)?.at ?? 0, closedAt + 5_000)
            assert.strictEqual(yield* lengthOf(redis, dlq), 0)
          }),
        undefined,
        commands.through
      )
    }
  )
})

const hourMs = 3_600_000

/** Parks u1, of whom so many events were set aside before. */
const setAside = (redis: Redis["Service"], from: number, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => `u1.${from + i}`),
    (id) =>
      addRetry(redis, id, {
        attempt: 0,
        not_before: hourMs,
        set_aside: "parked",
        partition: "user_id=u1",
        history: []
      }),
    { discard: true }
  )

const parkedFirst = (redis: Redis["Service"], count: number) =>
  park(redis, "u1").pipe(
    Effect.andThen(redis.send("XGROUP", "CREATE", dlq, group, "0", "MKSTREAM")),
    Effect.andThen(setAside(redis, 0, count))
  )

describe("events that were set aside an hour ahead", () => {
  it.effect("go on at the instant that their user is unparked, those that are held as well", () => {
    const api = new ScriptedApi()
    return withCollector(
      api,
      { dlqHold: 100, isolateBy: ["user_id"] },
      (redis) =>
        Effect.gen(function* () {
          yield* travel(20_000)
          assert.deepStrictEqual(api.attempts, [])
          yield* park(redis)
          yield* travel(1_000)
          assert.deepStrictEqual(
            api.attempts.map(({ eventId }) => eventId),
            Array.from({ length: 20 }, (_, i) => `u1.${i}`)
          )
          assert.isAtMost((api.attempts.at(-1)?.at ?? 0) - (api.attempts[0]?.at ?? 0), 0)
          assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        }),
      (redis) => parkedFirst(redis, 20)
    )
  })
})

describe("retries of a parked user, many more than DLQ_HOLD", () => {
  it.effect("are taken up once, when they are due, and not again until the user is unparked", () => {
    const api = new ScriptedApi()
    const commands = new DlqCommands()
    return withCollector(
      api,
      { dlqHold: 10, isolateBy: ["user_id"] },
      (redis) =>
        Effect.gen(function* () {
          yield* travel(5_000)
          assert.strictEqual(yield* pendingCount(redis, dlq), 40)
          assert.isAtMost(commands.of("take"), 40)
          commands.counts.clear()
          yield* travel(600_000, 20_000)
          assert.strictEqual(commands.of("take"), 0)
          assert.strictEqual(commands.of("XAUTOCLAIM"), 0)
          assert.deepStrictEqual(api.attempts, [])
          yield* park(redis)
          yield* travel(8_000)
          assert.strictEqual(api.delivered.length, 40, "each once")
          assert.isTrue(api.attempts.every(({ attempt }) => attempt === 2))
          assert.strictEqual(yield* lengthOf(redis, dlq), 0)
        }),
      (redis) =>
        Effect.andThen(
          parkedFirst(redis, 0),
          Effect.forEach(Array.from({ length: 40 }), (_, i) => addRetry(redis, `u1.${i}`), { discard: true })
        ),
      commands.through
    )
  })
})

describe("while a replica leaves a parked user's events pending", () => {
  it.effect("it takes over in time what another was working on that is gone", () => {
    const api = new ScriptedApi()
    return withCollector(
      api,
      { dlqHold: 10, isolateBy: ["user_id"] },
      (redis) =>
        Effect.gen(function* () {
          yield* travel(10_000)
          yield* addRetry(redis, "u2.0")
          yield* travel(60_000 + 2_000)
          assert.deepStrictEqual(
            api.attempts.map(({ eventId }) => eventId),
            ["u2.0", "u3.0"]
          )
          assert.deepStrictEqual(api.instants("u2.0"), [10_000])
          // Idle for CLAIM_IDLE, and looked for every two seconds.
          assert.deepStrictEqual(api.instants("u3.0"), [60_000])
          assert.strictEqual(yield* pendingCount(redis, dlq), 60)
        }),
      (redis) =>
        Effect.gen(function* () {
          yield* parkedFirst(redis, 30)
          yield* readBy(redis, "another", 30)
          yield* addRetry(redis, "u3.0")
          yield* readBy(redis, "gone", 1)
          yield* setAside(redis, 30, 30)
          yield* redis.send("SET", leaseKey(transcribe, { group, name: "another" }), "token")
        })
    )
  })
})
