import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { Redis as IoRedis } from "ioredis"
import { afterAll, beforeAll } from "vitest"
import { Child } from "../../sandbox/children.ts"
import { process as processKind, transcribe } from "../../src/domain/events/jobEvent.ts"
import { ensurePython } from "../support/python.ts"
import { RedisServer } from "../support/redis-server.ts"

const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
const python = ensurePython("redis", "python3-redis")

let redis: RedisServer
let client: IoRedis
beforeAll(async () => {
  redis = await RedisServer.start()
  client = new IoRedis(redis.url)
})
afterAll(async () => {
  client?.disconnect()
  await redis?.stop()
})

const producesValidEvents = async (command: readonly [string, ...ReadonlyArray<string>]) => {
  await client.flushall()
  const child = await Child.start({ name: "the producer", command, env: { REDIS_URL: redis.url } })
  assert.strictEqual((await child.ended).code, 0, child.output)
  for (const [stream, kind] of [
    ["modelsgateway:events:transcribe", transcribe],
    ["modelsgateway:events:process", processKind]
  ] as const) {
    const entries = await client.xrange(stream, "-", "+")
    assert.strictEqual(entries.length, 1)
    const [[id, fields]] = entries as [[string, Array<string>]]
    const read = kind.prepare(fields, {
      source: { stream, id },
      now: Date.now(),
      firstReading: true,
      maxAgeMs: 60_000,
      maxSkewMs: 1_000,
      partedBy: [],
      sha256: (bytes) => createHash("sha256").update(bytes).digest()
    })
    assert(Result.isSuccess(read), Result.isFailure(read) ? read.failure.message : "")
    assert.isDefined(read.success.traceparent)
    assert.include(fields, "metadata_sha256")
  }
}

describe("the producer example", () => {
  it("in TypeScript adds valid events of both kinds, with their trace", () =>
    producesValidEvents([process.execPath, example("producer.ts")]))

  it.runIf(python !== undefined)("in Python adds valid events of both kinds, with their trace", () =>
    producesValidEvents([python ?? "", example("producer.py")])
  )
})
