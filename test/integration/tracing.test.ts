import { Layer, Logger } from "effect"
import { FetchHttpClient } from "effect/http"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as Telemetry from "../../src/layers/telemetry/Telemetry.ts"
import { type CollectorHttp, publicKey, startCollectorHttp } from "../support/collector-http.ts"
import { transcribeFields } from "../support/events.ts"
import { attributesOf, OtlpReceiver, type OtlpSpan } from "../support/otlp-receiver.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { redisCommand } from "../support/redis-command.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { dlq, group, transcribe } from "../support/streams.ts"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"

let redis: RedisServer
let api: ReceivingApi
let receiver: OtlpReceiver
let collector: CollectorHttp | undefined

beforeEach(async () => {
  redis = await RedisServer.start()
  api = await ReceivingApi.start(publicKey)
  receiver = await OtlpReceiver.start()
})
afterEach(async () => {
  await collector?.close()
  collector = undefined
  await receiver.stop()
  await api.close()
  await redis.stop()
})

const start = async (tracesSampler: number | undefined, client = LeanHttpClient.layer()) => {
  const silent = Logger.layer([])
  const telemetry = Telemetry.layer({
    endpoint: receiver.url,
    tracesSampler: tracesSampler ?? 0,
    serviceName: "job-collector",
    serviceVersion: "0.0.0",
    instanceId: "test",
    exportInterval: "50 millis"
  }).pipe(Layer.provideMerge(silent))
  collector = await startCollectorHttp({
    redisUrl: redis.url,
    options: { apiBaseUrl: api.url, groupStartId: "0" },
    client,
    ambient: tracesSampler === undefined ? silent : telemetry
  })
}

const add = (id: string, more: Record<string, string> = {}) =>
  redisCommand(redis.port, "XADD", transcribe, "*", ...transcribeFields(id, Date.now(), more)) as Promise<string>

const spanNamed = (name: string): OtlpSpan | undefined => receiver.spans.find((span) => span.name === name)

const received = (name: string) => waitUntil(`the span ${name} is received`, () => spanNamed(name) !== undefined)

describe("traces", () => {
  it("receive, process and ack, linked to the producer, and the API's request below", async () => {
    await start(1)
    const id = await add("e-1", { traceparent: `00-${traceId}-${spanId}-01` })
    await received(`ack ${transcribe}`)
    await received(`receive ${transcribe}`)
    await received(`process ${transcribe}`)
    const [receive, process, ack] = ["receive", "process", "ack"].map((name) => spanNamed(`${name} ${transcribe}`)!)
    const common = {
      "messaging.system": "redis",
      "messaging.destination.name": transcribe,
      "messaging.consumer.group.name": group,
      "messaging.client.id": "consumer-1"
    }
    const link = { traceId, spanId }
    expect(receive).toMatchObject({ kind: 3, links: [link], status: { code: 1 } })
    expect(attributesOf(receive!)).toMatchObject({
      ...common,
      "messaging.operation.name": "receive",
      "messaging.operation.type": "receive",
      "messaging.batch.message_count": "1"
    })
    expect(process).toMatchObject({ kind: 5, links: [link], status: { code: 1 } })
    expect(process?.parentSpanId).toBeUndefined()
    expect(process?.traceId).not.toBe(traceId)
    expect(attributesOf(process!)).toMatchObject({
      ...common,
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.message.id": id,
      "job_collector.event_id": "e-1",
      "job_collector.attempt": "1",
      "job_collector.outcome": "delivered"
    })
    expect(ack).toMatchObject({ kind: 3, traceId: process?.traceId, parentSpanId: process?.spanId })
    expect(attributesOf(ack!)).toMatchObject({
      ...common,
      "messaging.operation.name": "ack",
      "messaging.operation.type": "settle",
      "messaging.message.id": id
    })
    const [, sentTrace, sentSpan] = String(api.requests[0]?.headers.traceparent).split("-")
    expect(sentTrace).toBe(process?.traceId)
    const requestSpan = () => receiver.spans.find((span) => span.spanId === sentSpan)
    await waitUntil("the request's span is received", () => requestSpan() !== undefined)
    const request = requestSpan()
    expect(request).toMatchObject({ kind: 3, parentSpanId: process?.spanId })
    expect(JSON.stringify(receiver.requests)).not.toContain(String(api.requests[0]?.headers.authorization))
  })

  it("a failed attempt is a failed span that ends with the move, and the retry is a trace of its own", async () => {
    api.answer = () => ({ status: 500, body: { error_code: "BROKEN", error_message: "try later" } })
    await start(1)
    await add("e-1", { traceparent: `00-${traceId}-${spanId}-01` })
    await received(`process ${transcribe}`)
    await received(`ack ${transcribe}`)
    const process = spanNamed(`process ${transcribe}`)!
    expect(process.status.code).toBe(2)
    expect(attributesOf(process)).toMatchObject({ "error.type": "HTTP_500", "job_collector.outcome": "retried" })
    expect(attributesOf(spanNamed(`ack ${transcribe}`)!)).toMatchObject({ "job_collector.moved_to": dlq })
    api.answer = () => undefined
    await waitUntil("the retry is traced", () => spanNamed(`process ${dlq}`) !== undefined)
    const retry = spanNamed(`process ${dlq}`)!
    expect(retry).toMatchObject({ links: [{ traceId, spanId }], status: { code: 1 } })
    expect(retry.traceId).not.toBe(process.traceId)
    expect(attributesOf(retry)).toMatchObject({ "job_collector.attempt": "2", "job_collector.outcome": "delivered" })
  })

  it("an invalid event's span says so", async () => {
    await start(1)
    await add("e-1", { audio_seconds: "much" })
    await received(`process ${transcribe}`)
    expect(attributesOf(spanNamed(`process ${transcribe}`)!)).toMatchObject({
      "error.type": "INVALID",
      "job_collector.outcome": "abandoned"
    })
  })

  it("a share of 0 keeps none and tells the API so; without telemetry the producer's trace goes on", async () => {
    await start(0)
    await add("e-1")
    await waitUntil("delivered", () => api.charges.has("e-1"))
    expect(api.requests[0]?.headers.traceparent).toMatch(/-00$/)
    await collector?.close()
    expect(receiver.spans).toEqual([])
    await start(undefined)
    await add("e-2")
    await waitUntil("delivered", () => api.charges.has("e-2"))
    expect(api.requests[1]?.headers.traceparent).toBeUndefined()
    await add("e-3", { traceparent: `00-${traceId}-${spanId}-01` })
    await waitUntil("delivered", () => api.charges.has("e-3"))
    const [version, sentTrace, sentSpan, flags] = String(api.requests[2]?.headers.traceparent).split("-")
    expect([version, sentTrace, flags]).toEqual(["00", traceId, "01"])
    expect(sentSpan).toMatch(/^[0-9a-f]{16}$/)
    expect(sentSpan).not.toBe(spanId)
  })

  it("any client of Effect's carries the producer's trace on where there is no tracer, and the span's where there is one", async () => {
    await start(undefined, FetchHttpClient.layer)
    await add("e-1", { traceparent: `00-${traceId}-${spanId}-01` })
    await waitUntil("delivered", () => api.charges.has("e-1"))
    expect(api.requests[0]?.headers.traceparent).toMatch(new RegExp(`^00-${traceId}-(?!${spanId})[0-9a-f]{16}-01$`))
    expect(api.requests[0]?.headers.b3).toBeUndefined()
    await add("e-2")
    await waitUntil("delivered", () => api.charges.has("e-2"))
    expect(api.requests[1]?.headers.traceparent).toBeUndefined()
    await collector?.close()
    await start(1, FetchHttpClient.layer)
    await add("e-3", { traceparent: `00-${traceId}-${spanId}-01` })
    await received(`process ${transcribe}`)
    const [, sentTrace] = String(api.requests[2]?.headers.traceparent).split("-")
    expect(sentTrace).toBe(spanNamed(`process ${transcribe}`)?.traceId)
  })
})
