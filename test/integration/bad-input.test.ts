import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import * as fc from "fast-check"
import { JobCollector } from "../../src/JobCollector.ts"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as IoRedis from "../../src/layers/redis/ioredis/IoRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { type RealParts, realParts } from "../support/real-parts.ts"
import { waitUntil } from "../support/redis-server.ts"
import { abandoned as abandonedStream, decodedAbandoned, dlq, group, transcribe as stream } from "../support/streams.ts"

type Field = string | Buffer

/** An entry, and how its refusal must begin; undefined where it is valid. */
interface Case {
  readonly name: string
  readonly stream: string
  readonly fields: ReadonlyArray<Field>
  readonly refused: RegExp | undefined
}

const event = (id: string, more: Record<string, string> = {}) => transcribeFields(id, Date.now(), more)

const cases: ReadonlyArray<Case> = [
  { name: "valid", stream, fields: event("valid-1"), refused: undefined },
  { name: "nothing right", stream, fields: ["a", "b"], refused: /^[a-z_]+: is required/ },
  { name: "bad JSON", stream, fields: ["data", "{"], refused: /^data: must be a JSON object/ },
  { name: "wrong type", stream, fields: event("x-1", { audio_seconds: "ten" }), refused: /^audio_seconds: / },
  { name: "__proto__", stream, fields: [...event("x-2"), "__proto__", "{}"], refused: /^__proto__: / },
  { name: "500 fields", stream, fields: [...event("x-3"), ...Array(1_000).fill("f")], refused: /^entry: .*256/ },
  { name: "2 MiB", stream, fields: [...event("x-4"), "note", "x".repeat(2 << 20)], refused: /^entry: .*1 MiB/ },
  { name: "too old", stream, fields: event("x-5", { started_at: "0", completed_at: "0" }), refused: /^completed_at: / },
  {
    name: "a hash that does not match",
    stream,
    fields: event("x-6", { metadata_sha256: createHash("sha256").update("other").digest("hex") }),
    refused: /^metadata_sha256: /
  },
  {
    name: "a value that is not UTF-8",
    stream,
    fields: [...event("x-7"), "note", Buffer.from([0x61, 0xff, 0xfe, 0x62])],
    refused: /^note: must be UTF-8/
  },
  {
    name: "a name that is not UTF-8",
    stream,
    fields: [...event("x-8"), Buffer.from([0xc3, 0x28]), "x"],
    refused: /^entry: must have field names in UTF-8/
  },
  { name: "U+FFFD itself", stream, fields: event("valid-2", { note: "\ufffd" }), refused: undefined },
  { name: "twice", stream, fields: [...event("x-9"), "user_id", "other"], refused: /^user_id: must not occur twice/ },
  { name: "a DLQ entry of nonsense", stream: dlq, fields: ["retry", "{}", "event", "[]"], refused: /^retry/ },
  { name: "a DLQ entry of other fields", stream: dlq, fields: ["x", "y"], refused: /^entry: / },
  { name: "valid at the end", stream, fields: event("valid-3"), refused: undefined }
]

describe("whatever stands in the streams", () => {
  const collector = ({ api, redis }: RealParts) =>
    JobCollector.layer({ apiBaseUrl: api.url, groupStartId: "0" }).pipe(
      Layer.provide([
        IoRedis.layer({ url: Redacted.make(redis.url) }),
        LeanHttpClient.layer(),
        NativeSigner.layer(Redacted.make(testKey.private))
      ]),
      Layer.provide(Logger.layer([]))
    )

  /** Servers with a collector at work on them. */
  const collecting = Effect.tap(realParts, (parts) => Layer.build(collector(parts)))

  const nothingPending = async (client: RealParts["client"]) => {
    for (const key of [stream, dlq]) {
      const [count] = (await client.xpending(key, group)) as [number]
      if (count > 0) return false
    }
    return true
  }

  const abandoned = async (client: RealParts["client"]) =>
    decodedAbandoned(await client.xrange(abandonedStream, "-", "+"))

  it.live(
    "is delivered, or stands in the abandoned stream with the field and the rule; neighbours are unaffected",
    () =>
      Effect.gen(function* () {
        const { api, client } = yield* collecting
        yield* Effect.promise(async () => {
          const ids = new Map<string, Case>()
          for (const entry of cases) {
            const id = await client.xadd(entry.stream, "*", ...entry.fields)
            ids.set(`${entry.stream} ${id}`, entry)
          }
          const bad = cases.filter(({ refused }) => refused !== undefined)
          await waitUntil("all bad ones are abandoned", async () => (await client.xlen(abandonedStream)) === bad.length)
          await waitUntil("all good ones are delivered", () => api.charges.size === cases.length - bad.length)
          await waitUntil("nothing is pending", () => nothingPending(client))
          for (const { abandoned: end } of await abandoned(client)) {
            const entry = ids.get(`${end.origin_stream} ${end.origin_id}`)
            assert.strictEqual(end.reason, "invalid", entry?.name)
            assert.strictEqual(end.error_code, "INVALID")
            assert.strictEqual(end.attempts, 0)
            assert.match(end.error_message, entry?.refused ?? /^$/, entry?.name)
          }
          assert.deepStrictEqual(api.requests.map(({ eventId }) => eventId).sort(), ["valid-1", "valid-2", "valid-3"])
          assert.strictEqual(await client.xlen(dlq), 0)
          // Bytes that are no text are kept as escapes, so that they can be told.
          const kept = (await abandoned(client)).find(({ event: [, id] }) => id === "x-7")
          assert.include(kept?.event ?? [], "a\udcff\udcfeb")
        })
      }).pipe(Effect.scoped)
  )

  it.live(
    "arbitrary entries among valid ones: every one ends, once",
    () =>
      Effect.gen(function* () {
        const { api, client } = yield* collecting
        yield* Effect.promise(async () => {
          const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array))
          const name = fc.oneof(fc.constantFrom(...event("e").filter((_, i) => i % 2 === 0)), fc.string(), bytes)
          const value = fc.oneof(fc.string(), fc.json(), bytes, fc.double().map(String))
          const fields = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 30 }).map((pairs) => pairs.flat())
          const random = fc.sample(fields, { numRuns: 500, seed: 20_261_122 })
          let at = 0
          for (const entry of random) {
            await client.xadd(stream, "*", ...entry)
            if (at % 10 === 0) await client.xadd(stream, "*", ...event(`good-${at}`))
            at += 1
          }
          const good = Math.ceil(random.length / 10)
          const ended = async () => api.charges.size + (await client.xlen(abandonedStream))
          await waitUntil("every entry has ended", async () => (await ended()) >= random.length + good, 60_000)
          await waitUntil("nothing is pending", () => nothingPending(client))
          const delivered = new Set(api.requests.map(({ eventId }) => eventId))
          for (let i = 0; i < random.length; i += 10) assert.isTrue(delivered.has(`good-${i}`), `good-${i}`)
          for (const { abandoned: end } of await abandoned(client)) {
            assert.strictEqual(end.reason, "invalid")
            assert.match(end.error_message, /^.+: (must|is|its) /s)
          }
        })
      }).pipe(Effect.scoped),
    90_000
  )
})
