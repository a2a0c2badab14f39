/** `top`, character for character on terminals of 80 and of 140 columns. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { CliOutput } from "effect/cli"
import { TestClock } from "effect/testing"
import { plainScreen, Screen } from "../../src/cli/screen.ts"
import { frameOf } from "../../src/cli/topFrame.ts"
import { defaultStreams } from "../../src/domain/options/options.ts"
import type { ReplicaFigures } from "../../src/domain/replicas/replicaFigures.ts"
import { storedRules } from "../../src/domain/traffic/rules.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import { glance } from "../../src/programs/operator/glance.ts"
import { EventStreams, rulesKey } from "../../src/services/EventStreams.ts"
import { Redis } from "../../src/services/Redis.ts"
import { commandOn } from "../support/command-line.ts"
import { abandoned, dlq, group, processing, transcribe } from "../support/streams.ts"

const now = Date.UTC(2026, 0, 31, 14, 0)

const figures = (consumer: string, more: Partial<ReplicaFigures> = {}): ReplicaFigures => ({
  consumer,
  host: "host-1",
  version: "1.2.0",
  key_id: "0123456789abcdef",
  started_at: now - 7_200_000,
  at: now,
  status: "ok",
  problems: [],
  in_flight: 64,
  permits: 64,
  held: 12,
  rate: 40.25,
  api_p50_ms: 95,
  api_p95_ms: 210,
  circuit: "closed",
  open_partitions: 0,
  next_probe_at: null,
  waits_until: null,
  config_version: 42,
  cpu: 0.31,
  memory_bytes: 92_000_000,
  ...more
})

const tell = (...all: ReadonlyArray<ReplicaFigures>) =>
  Effect.flatMap(EventStreams, (streams) =>
    Effect.forEach(all, (each) =>
      streams.report(
        transcribe,
        { group, name: each.consumer },
        { figures: JSON.stringify(each), ttlMs: 15_000, hour: "h", counts: [] }
      )
    )
  )

/** A backlog of 3,000 events, 20 abandoned and 2 to be retried. */
const scene = Effect.gen(function* () {
  const redis = yield* Redis
  yield* TestClock.setTime(now)
  for (const key of [transcribe, processing, dlq]) {
    yield* redis.send("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
    yield* redis.send("XGROUP", "CREATECONSUMER", key, group, "c-1")
  }
  for (let n = 0; n < 3_000; n++) yield* redis.send("XADD", transcribe, "*", "f", "v")
  yield* redis.send("XADD", processing, "*", "f", "v")
  yield* redis.send("XREADGROUP", "GROUP", group, "c-1", "COUNT", "1", "STREAMS", processing, ">")
  for (let n = 0; n < 2; n++) yield* redis.send("XADD", dlq, "*", "f", "v")
  for (let n = 0; n < 20; n++) yield* redis.send("XADD", abandoned, `${now - 5_400_000}-${n + 1}`, "f", "v")
  return redis
})

const ofThree = [
  figures("c-1"),
  figures("c-2", { cpu: 0.05, api_p95_ms: 1_950 }),
  figures("c-3", {
    status: "degraded",
    problems: ["the circuit is open: deliveries wait until a probe succeeds", "config_sync: \u001b[31mforged"],
    circuit: "open",
    next_probe_at: now + 10_000,
    in_flight: 0,
    rate: 0,
    host: null,
    cpu: null,
    memory_bytes: null
  })
]

const world = <A, E>(test: Effect.Effect<A, E, Redis | EventStreams>) =>
  test.pipe(Effect.provide(EventStreamsLayer.layer), Effect.provide(MemoryRedis.layer))

const screen = (columns: number | undefined) => ({ ...plainScreen, columns })

/** What the command prints; a second passes between its two looks. */
const shown = (columns: number | undefined, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const redis = yield* Redis
    const running = yield* Effect.forkChild(
      commandOn(redis, "top", ...args).pipe(Effect.provideService(Screen, screen(columns)))
    )
    for (let n = 0; n < 20; n++) yield* TestClock.adjust("100 millis")
    const { err, out } = yield* Fiber.join(running)
    assert.deepStrictEqual(err, [])
    return out
  })

const seen = Effect.gen(function* () {
  const streams = yield* EventStreams
  return yield* glance({ observed: { streams, stream: transcribe, group }, sets: [defaultStreams] })
})

const fits = (lines: ReadonlyArray<string>, columns: number) => {
  for (const line of lines) {
    assert.isAtMost(CliOutput.displayWidth(line), columns, line)
    assert.match(line, /^[^\p{Cc}\p{Cf}]*$/u)
  }
}

describe("top", () => {
  it.effect("of 80 columns: the verdict first, then the streams and the replicas, the worst on top", () =>
    world(
      Effect.gen(function* () {
        yield* scene
        yield* tell(...ofThree)
        const out = yield* shown(80, "--once")
        fits(out, 80)
        assert.deepStrictEqual(out, [
          "job-collector top · job-collector-group · 2026-01-31 14:00:01 UTC",
          "backlog gone in 37 s; bottleneck: permits 128/128, API p95 1950 ms; 1 of 3",
          "replicas delivers nothing: c-3: its circuit is open; 20 events lie abandoned",
          "in 0.0/s · out 80.5/s · unread 3,000 · to retry 2 · abandoned 20, first 1h ago",
          "",
          "STREAM      LENGTH  UNREAD  PENDING  IN/S",
          "transcribe   3,000   3,000        0   0.0",
          "dlq              2       2        0   0.0",
          "process          1       0        1   0.0",
          "",
          "REPLICA  STATE         OUT/S   BUSY  HELD    P50       P95   CPU    MEM  UP",
          "c-3      circuit open    0.0   0/64    12  95 ms    210 ms     -      -  2h",
          "c-2      ok             40.3  64/64    12  95 ms  1,950 ms   5 %  92 MB  2h",
          "c-1      ok             40.3  64/64    12  95 ms    210 ms  31 %  92 MB  2h",
          "c-3: the circuit is open: deliveries wait until a probe succeeds",
          "c-3: config_sync: \\u001b[31mforged"
        ])
      })
    )
  )

  it.effect("of 140 columns: with latencies, memory, configuration, key and version", () =>
    world(
      Effect.gen(function* () {
        yield* scene
        yield* tell(...ofThree)
        const out = yield* shown(140, "--once")
        fits(out, 140)
        assert.deepStrictEqual(out, [
          "job-collector top · job-collector-group · 2026-01-31 14:00:01 UTC",
          "backlog gone in 37 s; bottleneck: permits 128/128, API p95 1950 ms; 1 of 3 replicas delivers nothing: c-3: its circuit is open; 20 events",
          "lie abandoned",
          "in 0.0/s · out 80.5/s · unread 3,000 · to retry 2 · abandoned 20, first 1h ago",
          "",
          "STREAM      LENGTH  UNREAD  PENDING  IN/S",
          "transcribe   3,000   3,000        0   0.0",
          "dlq              2       2        0   0.0",
          "process          1       0        1   0.0",
          "",
          "REPLICA  STATE         OUT/S   BUSY  HELD    P50       P95   CPU    MEM  UP  CONFIG  KEY       VERSION",
          "c-3      circuit open    0.0   0/64    12  95 ms    210 ms     -      -  2h      42  01234567  1.2.0",
          "c-2      ok             40.3  64/64    12  95 ms  1,950 ms   5 %  92 MB  2h      42  01234567  1.2.0",
          "c-1      ok             40.3  64/64    12  95 ms    210 ms  31 %  92 MB  2h      42  01234567  1.2.0",
          "c-3: the circuit is open: deliveries wait until a probe succeeds",
          "c-3: config_sync: \\u001b[31mforged"
        ])
      })
    )
  )

  it.effect("elsewhere than on a terminal it prints one frame, and says of a pause that nothing is read", () =>
    world(
      Effect.gen(function* () {
        const redis = yield* scene
        yield* tell(figures("c-1", { rate: 0, in_flight: 0 }))
        const pause = { kind: "pause", at: now, by: "anna", until: now + 1_800_000 } as const
        yield* redis.send("SET", rulesKey(transcribe, group), storedRules([pause]))
        const out = yield* shown(undefined)
        assert.deepStrictEqual(out.slice(0, 4), [
          "job-collector top · job-collector-group · 2026-01-31 14:00:01 UTC",
          "nothing is read: paused until 14:30 UTC; 3,000 events wait; 20 events lie abandoned",
          "in 0.0/s · out 0.0/s · unread 3,000 · to retry 2 · abandoned 20, first 1h ago",
          "rule: pause, by anna, until 2026-01-31T14:30:00Z"
        ])
      })
    )
  )

  it.effect("--json is the whole of it, as one object", () =>
    world(
      Effect.gen(function* () {
        yield* scene
        yield* tell(...ofThree)
        const said = JSON.parse((yield* shown(80, "--json")).join("\n"))
        assert.deepStrictEqual(
          [
            said.verdict.level,
            said.backlog,
            said.arriving,
            said.delivered,
            said.abandoned.length,
            said.replicas.length
          ],
          ["warning", 3_000, 0, 80.5, 20, 3]
        )
      })
    )
  )

  it.effect("fits a window of 24 rows and of 12, however many replicas and problems there are", () =>
    world(
      Effect.gen(function* () {
        yield* scene
        const many = Array.from({ length: 40 }, (_, n) =>
          figures(`c-${100 + n}`, {
            rate: 1,
            in_flight: 4,
            permits: 4,
            ...(n % 3 === 0 ? { status: "degraded", problems: [`problem ${n}`] } : {})
          })
        )
        yield* tell(...many)
        for (const rows of [24, 12]) {
          const lines = frameOf(yield* seen, screen(80), rows)
          fits(lines, 80)
          assert.isAtMost(lines.length, rows)
          assert.include(lines[1], "3,000 events wait")
          assert.isTrue(lines.some((line) => line.startsWith("REPLICA")))
          assert.isTrue(
            lines.some((line) => /^… and \d+ more replicas$/.test(line)),
            lines.join("\n")
          )
        }
      })
    )
  )

  it.effect("without a replica says that none runs", () =>
    world(
      Effect.gen(function* () {
        yield* scene
        const [, verdict] = frameOf(yield* seen, screen(80), 24)
        assert.strictEqual(verdict, "nothing is read: no replica runs; 3,000 events wait; 20 events lie abandoned")
      })
    )
  )
})
