/** A host app that delivers an event to an API of its own and verifies what comes there, as any runtime has to run it. */
import { once } from "node:events"
import { createServer } from "node:http"
import { buffer } from "node:stream/consumers"
import { Deferred, Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import {
  JobCollector,
  layerIoRedis,
  layerLeanHttpClient,
  layerMemoryRedis,
  layerNativeSigner,
  layerNobleSigner,
  Redis
} from "job-collector"
import { makeVerifier } from "job-collector/verifier"

const privateKey = Redacted.make("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
const publicKey = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
const verify = makeVerifier({ services: { "job-collector": [publicKey] } })

/** Redis over a connection, fetch and the portable signer; or Redis in memory, the lean client and Node's signer. */
const [, , redisUrl] = process.argv
const parts =
  redisUrl === undefined
    ? Layer.mergeAll(layerMemoryRedis, layerLeanHttpClient(), layerNativeSigner(privateKey))
    : Layer.mergeAll(
        layerIoRedis({ url: Redacted.make(redisUrl) }),
        FetchHttpClient.layer,
        layerNobleSigner(privateKey)
      )

const second = (ago: number) => new Date(Date.now() - ago * 1_000).toISOString()
const event = {
  event_id: `evt-${Date.now()}-${process.pid}`,
  user_id: "u-1",
  device_id: "d-1",
  session_id: "s-1",
  started_at: second(20),
  completed_at: second(10),
  audio_seconds: "10.5"
}

const main = async () => {
  const judged = Deferred.makeUnsafe<string>()
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ job_id: "j-1", status: "accepted" }))
    if (request.method !== "POST") return
    const { headers, method = "" } = request
    const verdict = await verify({ method, headers, body })
    const { event_id } = JSON.parse(body.toString())
    if (event_id === event.event_id) Deferred.doneUnsafe(judged, Effect.succeed(verdict.ok ? "verified" : "refused"))
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const address = server.address()
  const port = typeof address === "object" ? address?.port : undefined

  const program = Effect.gen(function* () {
    const redis = yield* Redis
    const { join, ready, stop } = yield* JobCollector
    yield* ready
    yield* redis.send("XADD", "modelsgateway:events:transcribe", "*", ...Object.entries(event).flat())
    const verdict = yield* Deferred.await(judged)
    yield* stop
    yield* join
    console.log(`delivered, ${verdict}`)
  })
  await Effect.runPromise(
    program.pipe(
      Effect.timeout("20 seconds"),
      Effect.provide(JobCollector.layer({ apiBaseUrl: `http://127.0.0.1:${port}`, groupStartId: "0" })),
      Effect.provide(parts)
    )
  )
  server.closeAllConnections()
  server.close()
}

void main()
