import type { ServerResponse } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Layer, Redacted } from "effect"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as JobsApiLayer from "../../src/layers/jobsApi/JobsApi.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { JobsApi } from "../../src/services/JobsApi.ts"
import { json, serve } from "../support/http-server.ts"
import { freePort } from "../support/redis-server.ts"

const SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"

describe("JobsApi over LeanHttpClient", () => {
  const jobsApi = (baseUrl: string, timeout: Duration.Input) =>
    JobsApiLayer.layer({ baseUrl, serviceId: "job-collector", timeout }).pipe(
      Layer.provide([LeanHttpClient.layer(), NativeSigner.layer(Redacted.make(SEED))])
    )

  const deliver = (baseUrl: string, timeout: Duration.Input = "20 seconds") =>
    JobsApi.use((api) =>
      api.deliver({ path: "/api/jobs/add", body: Buffer.from("{}"), idempotencyKey: "e1", attempt: 1 })
    ).pipe(Effect.provide(jobsApi(baseUrl, timeout), { local: true }))

  it.live("tells a success from every way to fail", () =>
    Effect.gen(function* () {
      const answers: Record<string, (response: ServerResponse) => void> = {
        "/ok": (response) => json(response, 200, { job_id: "j1", credits_deducted: 3 }),
        "/slow": () => {},
        "/drip": (response) => response.write("{"),
        "/reset": (response) => response.socket?.resetAndDestroy(),
        "/huge": (response) => response.end("x".repeat(1024 * 1024 + 1)),
        "/huge500": (response) => response.writeHead(500).end("x".repeat(1024 * 1024 + 1)),
        "/text": (response) => response.end("not json"),
        "/moved": (response) => response.writeHead(302, { location: "/ok" }).end(),
        "/half": (response) => {
          response.writeHead(200, { "content-length": "100" })
          response.write("{")
          setImmediate(() => response.socket?.destroy())
        }
      }
      const { url, received } = yield* serve(({ request }, response) => {
        answers[(request.url ?? "").replace("/api/jobs/add", "")]?.(response)
      })
      const outcome = (path: string, timeout?: Duration.Input) =>
        Effect.map(deliver(`${url}${path}`, timeout), (result) =>
          result._tag === "Failed" ? result.errorCode : result.jobId
        )
      assert.strictEqual(yield* outcome("/ok"), "j1")
      assert.strictEqual(yield* outcome("/slow", "300 millis"), "TIMEOUT")
      assert.strictEqual(yield* outcome("/drip", "300 millis"), "TIMEOUT")
      assert.strictEqual(yield* outcome("/reset"), "NETWORK")
      assert.strictEqual(yield* outcome("/huge"), "BAD_RESPONSE")
      assert.strictEqual(yield* outcome("/huge500"), "HTTP_500")
      assert.strictEqual(yield* outcome("/text"), "BAD_RESPONSE")
      assert.strictEqual(yield* outcome("/moved"), "HTTP_302")
      assert.strictEqual(yield* outcome("/half"), "BAD_RESPONSE")
      const asked = received.map(({ request }) => request.url)
      assert.strictEqual(new Set(asked).size, asked.length, "nothing is sent twice")
      const closed = `http://127.0.0.1:${yield* Effect.promise(freePort)}`
      const refused = yield* deliver(closed)
      assert(refused._tag === "Failed")
      assert.strictEqual(refused.errorCode, "NETWORK")
      assert.include(refused.errorMessage, "ECONNREFUSED")
    })
  )

  it.live("fetches configurations of more than 1 MiB and at most 16", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(({ request }, response) => {
        if (request.headers["if-none-match"] === '"v7"') return response.writeHead(304).end()
        const bytes = Number((request.url ?? "").split("/")[1])
        response.writeHead(200, { etag: '"v7"', "content-digest": "sha-256=:x:" })
        return response.end(Buffer.alloc(bytes, "x"))
      })
      const fetch = (bytes: number, etag?: string) =>
        JobsApi.use((api) => api.configurations(etag)).pipe(
          Effect.provide(
            JobsApiLayer.layer({ baseUrl: `${url}/${bytes}`, serviceId: "job-collector", timeout: "20 seconds" }).pipe(
              Layer.provide([LeanHttpClient.layer(), NativeSigner.layer(Redacted.make(SEED))])
            ),
            { local: true }
          )
        )
      const fetched = yield* fetch(16 * 1024 * 1024)
      assert(fetched._tag === "Fetched")
      assert.strictEqual(fetched.body.length, 16 * 1024 * 1024)
      assert.strictEqual(fetched.etag, '"v7"')
      assert.strictEqual(fetched.contentDigest, "sha-256=:x:")
      assert.strictEqual((yield* fetch(1, '"v7"'))._tag, "NotModified")
      const refused = yield* Effect.flip(fetch(16 * 1024 * 1024 + 1))
      assert(refused._tag === "JobsApiError")
      assert.strictEqual(refused.errorCode, "BAD_RESPONSE")
    })
  )
})
