import { Clock, Effect, Layer, Logger, Metric, Tracer } from "effect"
import { HttpTraceContext } from "effect/http"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Telemetry from "../../src/layers/telemetry/Telemetry.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import { attributesOf, OtlpReceiver } from "../support/otlp-receiver.ts"
import { freePort, waitUntil } from "../support/redis-server.ts"

const options = {
  tracesSampler: 1,
  serviceName: "job-collector",
  serviceVersion: "1.2.3",
  instanceId: "collector-0",
  exportInterval: "50 millis",
  flushTimeout: "20 seconds"
} as const

interface Line {
  readonly level: string
  readonly message: unknown
  readonly annotations: Record<string, unknown>
}

/** A console logger's place: what the service itself would have printed. */
const capture = () => {
  const lines: Array<Line> = []
  const logger = Logger.map(Logger.formatStructured, ({ annotations, level, message }) => {
    lines.push({ annotations, level, message })
  })
  return { lines, layer: Logger.layer([logger]) }
}

let receiver: OtlpReceiver
beforeEach(async () => {
  receiver = await OtlpReceiver.start()
})
afterEach(() => receiver.stop())

const run = <A>(
  program: Effect.Effect<A>,
  settings: Partial<Telemetry.TelemetryOptions> = {},
  console = capture().layer
): Promise<A> =>
  program.pipe(
    Effect.provide(
      Telemetry.layer({ endpoint: receiver.url, ...options, ...settings }).pipe(Layer.provideMerge(console))
    ),
    // A registry of its own: other tests' metrics stay out of what is exported here.
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.runPromise
  )

describe("OTLP/HTTP", () => {
  it("brings spans with kind, attributes, parents and the producer's link", async () => {
    const producer = Tracer.externalSpan({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      sampled: true
    })
    await run(
      Effect.void.pipe(
        Effect.withSpan("send"),
        Effect.withSpan("process transcribe", {
          kind: "consumer",
          attributes: { "messaging.system": "redis" },
          links: [{ span: producer, attributes: {} }]
        })
      )
    )
    const [outer, inner] = ["process transcribe", "send"].map((name) => receiver.spans.find((s) => s.name === name))
    expect(outer).toMatchObject({
      kind: 5,
      status: { code: 1 },
      links: [{ traceId: producer.traceId, spanId: producer.spanId }]
    })
    expect(attributesOf(outer!)).toMatchObject({ "messaging.system": "redis" })
    expect(inner?.parentSpanId).toBe(outer?.spanId)
    expect(inner?.traceId).toBe(outer?.traceId)
  })

  it("brings metrics with their values, labels and descriptions", async () => {
    await run(
      Effect.gen(function* () {
        yield* Metric.update(Metrics.deliveries("transcribe", "delivered"), 3)
        yield* Metric.update(Metrics.deliveries("process", "retried"), 2)
        yield* Metric.update(Metrics.held, 7)
        yield* Metric.update(Metrics.deliveryDuration, 0.2)
      })
    )
    const byName = new Map(receiver.metrics.map((metric) => [metric.name, metric]))
    const deliveries = byName.get("job_collector_deliveries_total")
    expect(deliveries?.description).toBe("Attempts that ended, by what became of the event")
    expect(deliveries?.sum?.isMonotonic).toBe(true)
    const points = deliveries?.sum?.dataPoints.map((point) => [
      attributesOf(point),
      Number(point.asInt ?? point.asDouble)
    ])
    expect(points).toContainEqual([expect.objectContaining({ stream: "transcribe", outcome: "delivered" }), 3])
    expect(points).toContainEqual([expect.objectContaining({ stream: "process", outcome: "retried" }), 2])
    const held = byName.get("job_collector_held")?.gauge?.dataPoints[0]
    expect(Number(held?.asInt ?? held?.asDouble)).toBe(7)
    expect(Number(byName.get("job_collector_delivery_duration_seconds")?.histogram?.dataPoints[0]?.count)).toBe(1)
  })

  it("brings logs with level, annotations and the ids of their span, and keeps the console's loggers", async () => {
    const console = capture()
    await run(
      Effect.logWarning("event abandoned").pipe(Effect.annotateLogs({ event_id: "e-1" }), Effect.withSpan("settle")),
      {},
      console.layer
    )
    const [record] = receiver.logs
    const [span] = receiver.spans
    expect(record).toMatchObject({ body: { stringValue: "event abandoned" }, severityText: "Warn" })
    expect(attributesOf(record!)).toMatchObject({ event_id: "e-1" })
    expect([record?.traceId, record?.spanId]).toEqual([span?.traceId, span?.spanId])
    expect(console.lines).toMatchObject([
      { level: "WARN", message: "event abandoned", annotations: { event_id: "e-1" } }
    ])
  })

  it("names service, version and instance on every signal, and sends while the program runs", async () => {
    await run(
      Effect.gen(function* () {
        yield* Metric.update(Metrics.held, 1)
        yield* Effect.log("hello").pipe(Effect.withSpan("work"))
        const paths = () => new Set(receiver.requests.map((request) => request.path))
        yield* Effect.promise(() => waitUntil("all three signals arrive", () => paths().size === 3))
      })
    )
    expect(new Set(receiver.resources.map(({ path }) => path))).toEqual(
      new Set(["/v1/traces", "/v1/metrics", "/v1/logs"])
    )
    for (const { attributes } of receiver.resources) {
      expect(attributes).toMatchObject({
        "service.name": "job-collector",
        "service.version": "1.2.3",
        "service.instance.id": "collector-0"
      })
    }
  })

  it("does not trace its own requests, nor hand them a trace context", async () => {
    await run(
      Effect.gen(function* () {
        yield* Effect.void.pipe(Effect.withSpan("only"))
        yield* Effect.promise(() => waitUntil("the span arrives", () => receiver.spans.length > 0))
        // Another two rounds: a span made by the first export would be in them.
        const rounds = receiver.requests.length + 4
        yield* Effect.log("more").pipe(Effect.andThen(Effect.sleep("5 millis")), Effect.repeat({ times: 20 }))
        yield* Effect.promise(() => waitUntil("more exports", () => receiver.requests.length >= rounds))
      })
    )
    expect(receiver.spans.map((span) => span.name)).toEqual(["only"])
    for (const { headers } of receiver.requests) expect(headers.traceparent ?? headers.b3).toBeUndefined()
  })

  it("keeps a base path and turns credentials of the URL into a header", async () => {
    const endpoint = `http://user:s3cret@127.0.0.1:${receiver.port}/otlp`
    await run(Effect.log("hello"), { endpoint })
    const request = receiver.requests.find(({ path }) => path === "/otlp/v1/logs")
    expect(request?.headers.authorization).toBe(`Basic ${Buffer.from("user:s3cret").toString("base64")}`)
  })
})

describe("sampling", () => {
  const spans = Effect.void.pipe(Effect.withSpan("child"), Effect.withSpan("root"), Effect.repeat({ times: 199 }))

  it("sends no span at 0, while metrics and logs go on", async () => {
    const header = await run(
      Effect.gen(function* () {
        yield* spans
        yield* Effect.log("hello")
        const span = yield* Effect.makeSpan("outgoing")
        return HttpTraceContext.toHeaders(span).traceparent
      }),
      { tracesSampler: 0 }
    )
    expect(receiver.spans).toEqual([])
    expect(receiver.logs).toHaveLength(1)
    expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  })

  it("keeps about the share of traces that is asked for, each whole", async () => {
    await run(spans, { tracesSampler: 0.5 })
    const roots = receiver.spans.filter((span) => span.name === "root")
    const children = receiver.spans.filter((span) => span.name === "child")
    // 200 fair coins: outside of 60..140 once in 10^7 runs.
    expect(roots.length).toBeGreaterThan(60)
    expect(roots.length).toBeLessThan(140)
    expect(new Set(children.map((span) => span.traceId))).toEqual(new Set(roots.map((span) => span.traceId)))
  })

  it("follows the decision of a parent from outside", async () => {
    const parent = (sampled: boolean) =>
      Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled })
    await run(
      Effect.all([
        Effect.void.pipe(Effect.withSpan("kept", { parent: parent(true) })),
        Effect.void.pipe(Effect.withSpan("dropped", { parent: parent(false) }))
      ]),
      { tracesSampler: 0 }
    )
    expect(receiver.spans.map((span) => span.name)).toEqual(["kept"])
  })
})

describe("a receiver that fails", () => {
  const busy = Effect.log("working").pipe(
    Effect.withSpan("work"),
    Effect.andThen(Effect.sleep("5 millis")),
    Effect.repeat({ times: 200 })
  )
  const warnings = (lines: ReadonlyArray<Line>) => lines.filter((line) => line.message === "telemetry.export_failing")

  it("is said once a signal when it is away, and disturbs nothing", async () => {
    const console = capture()
    const endpoint = `http://127.0.0.1:${await freePort()}`
    const elapsed = await run(
      Effect.gen(function* () {
        const started = yield* Clock.currentTimeMillis
        yield* busy
        return (yield* Clock.currentTimeMillis) - started
      }),
      { endpoint, flushTimeout: "2 seconds" },
      console.layer
    )
    expect(console.lines.filter((line) => line.message === "working")).toHaveLength(201)
    expect(elapsed).toBeLessThan(20_000)
    expect(
      warnings(console.lines)
        .map((line) => line.annotations.url)
        .sort()
    ).toEqual(["logs", "metrics", "traces"].map((signal) => `${endpoint}/v1/${signal}`))
  })

  it("is said when it comes back", async () => {
    const console = capture()
    receiver.status = 503
    await run(
      Effect.gen(function* () {
        yield* Effect.log("first")
        yield* Effect.promise(() => waitUntil("the failure is said", () => warnings(console.lines).length > 0))
        receiver.status = 200
        yield* Effect.promise(() =>
          waitUntil("the recovery is said", () =>
            console.lines.some((line) => line.message === "telemetry.export_recovered")
          )
        )
      }),
      {},
      console.layer
    )
    expect(warnings(console.lines)[0]?.annotations.reason).toBe("HTTP 503")
    expect(receiver.logs.length).toBeGreaterThan(0)
  })

  it("does not hold up the end for longer than the flush may take when it never answers", async () => {
    receiver.status = 0
    const started = performance.now()
    await run(busy, { flushTimeout: "2 seconds" })
    // One second of work and at most two for the last batch; without that limit it would be forty.
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  it("is asked for a bounded number of batches when it is slower than the service", async () => {
    receiver.status = 0
    const console = capture()
    const tooMany = () =>
      warnings(console.lines).some((line) => line.annotations.reason === "too many exports under way")
    await run(
      Effect.gen(function* () {
        yield* Effect.void.pipe(Effect.withSpan("work"), Effect.repeat({ times: 50_000 }))
        yield* Effect.promise(() => waitUntil("the bound is said", tooMany))
        expect(receiver.requests.length).toBeLessThanOrEqual(8)
      }),
      { flushTimeout: "2 seconds" },
      console.layer
    )
  })
})

it("installs nothing without an endpoint", async () => {
  const tracer = await run(Effect.tracer, { endpoint: undefined })
  expect(tracer).toBe(Tracer.nativeTracer)
  expect(receiver.requests).toEqual([])
})
