/** Streams that lie in different slots of a Cluster: no script spans them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { encodeAbandonedEntry } from "../../src/domain/delivery/dlq.ts"
import { defaultStreams } from "../../src/domain/options/options.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import { abandonedItem, makeFateOf, noProgress, replay } from "../../src/programs/operator/redrive.ts"
import { scan } from "../../src/programs/operator/scan.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import { type Redis, RedisError } from "../../src/services/Redis.ts"
import { World } from "../../src/testing/index.ts"
import { transcribeFields } from "../support/events.ts"
import { abandoned, transcribe } from "../support/streams.ts"

const count = 30

/** Refuses a script over two streams, as a Cluster does. */
const acrossSlots = (redis: Redis["Service"]): Redis["Service"] => ({
  ...redis,
  send: (name, ...args) => {
    const keys = args.slice(2, 2 + Number(args[1]))
    return name === "EVAL" && keys.includes(abandoned) && keys.includes(transcribe)
      ? Effect.fail(new RedisError({ cause: new Error("CROSSSLOT Keys in request don't hash to the same slot") }))
      : redis.send(name, ...args)
  }
})

describe("a replay across slots", () => {
  it("is known as one to whoever reads the event, however soon: its age is not looked at again", () => {
    const delivered = new Set<string>()
    const world = new World({
      seed: 1,
      app: () => JobCollector.layer({ apiBaseUrl: "http://api.test", groupStartId: "0" }),
      host: ({ headers, path }) => {
        if (path !== "/api/jobs/add") return { status: 404 }
        delivered.add(headers["idempotency-key"] ?? "")
        return { status: 200, body: { job_id: 1, credits_deducted: 58 } }
      },
      overrides: () => ({ redis: acrossSlots })
    })
    const old = world.now - 30 * 86_400_000
    const about = {
      reason: "exhausted" as const,
      attempts: 4,
      origin_stream: transcribe,
      origin_id: `${old}-0`,
      first_failed_at: old,
      abandoned_at: old,
      error_code: "HTTP_500",
      error_message: "BROKEN"
    }
    world.run("5 seconds")
    for (let n = 0; n < count; n++) {
      const fields = encodeAbandonedEntry(about, transcribeFields(`e-${n}`, old))
      world.redis.command("XADD", abandoned, "*", ...fields)
    }
    const replays = Effect.gen(function* () {
      const streams = yield* EventStreams
      const items = Stream.map(scan(streams, abandoned), (entry) => abandonedItem(abandoned, entry))
      return yield* replay(streams, items, 10, makeFateOf([defaultStreams]), () => Effect.void)
    })
    const exits: Array<unknown> = []
    world.launch("operator", Effect.provide(replays, EventStreamsLayer.layer), (exit) => exits.push(exit))
    world.run("1 minute")
    assert.deepStrictEqual(exits, [Exit.succeed({ ...noProgress, done: count })])
    assert.strictEqual(delivered.size, count)
    assert.deepStrictEqual(world.entries(abandoned), [])
  })
})
