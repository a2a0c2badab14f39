import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { makeCollector } from "../../examples/vault-signer.ts"
import { native } from "../../src/layers/signing/native.ts"
import { testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { json, serve } from "../support/http-server.ts"
import { realParts } from "../support/real-parts.ts"
import { waitUntil } from "../support/redis-server.ts"
import { dlq, transcribe } from "../support/streams.ts"

const key = native.signer(Buffer.from(testKey.private, "hex"))

describe("the example of a key in Vault", () => {
  it.live("has each request signed there, and retries what Vault does not sign", () =>
    Effect.gen(function* () {
      const { api, client, redis } = yield* realParts
      let sealed = false
      const vault = yield* serve(({ body, request }, response) => {
        if (request.url !== "/v1/transit/sign/collector") return json(response, 404, { errors: [] })
        if (request.headers["x-vault-token"] !== "a token")
          return json(response, 403, { errors: ["permission denied"] })
        if (sealed) return json(response, 503, { errors: ["Vault is sealed"] })
        const { input } = JSON.parse(body.toString()) as { input: string }
        const signature = Buffer.from(key.sign(Buffer.from(input, "base64"))).toString("base64")
        json(response, 200, { data: { key_version: 1, signature: `vault:v1:${signature}` } })
      })
      yield* Layer.build(
        makeCollector({
          redisUrl: redis.url,
          apiBaseUrl: api.url,
          vault: {
            address: vault.url,
            name: "collector",
            token: Redacted.make("a token"),
            publicKey: testKey.public.toString("hex")
          }
        })
      )
      const add = (id: string) => client.xadd(transcribe, "*", ...transcribeFields(id, Date.now()))
      yield* Effect.promise(async () => {
        await add("signed")
        await waitUntil("the event is delivered", () => api.charges.get("signed") === 1)
        sealed = true
        await add("unsigned")
        await waitUntil("the other waits for its next attempt", async () => (await client.xlen(dlq)) === 1)
      })
      assert.strictEqual(api.unverifiedCount, 0)
      assert.isFalse(api.requests.some(({ eventId }) => eventId === "unsigned"))
      const [[, fields]] = (yield* Effect.promise(() => client.xrange(dlq, "-", "+"))) as [[string, Array<string>]]
      assert.include(fields.join("\n"), "the request could not be signed: the remote signer failed: Vault answered 503")
    }).pipe(Effect.scoped)
  )
})
