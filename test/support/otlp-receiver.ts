import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import type { AddressInfo } from "node:net"

interface AnyValue {
  readonly stringValue?: string
  readonly intValue?: string | number
  readonly doubleValue?: number
  readonly boolValue?: boolean
}
interface Attribute {
  readonly key: string
  readonly value: AnyValue
}
interface Resource {
  readonly attributes: ReadonlyArray<Attribute>
}
export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly attributes: ReadonlyArray<Attribute>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
  readonly status: { readonly code: number }
}
export interface OtlpLogRecord {
  readonly body: AnyValue
  readonly severityText: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly traceId?: string
  readonly spanId?: string
}
export interface OtlpMetric {
  readonly name: string
  readonly description?: string
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: ReadonlyArray<DataPoint> }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<DataPoint> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<DataPoint & { readonly bucketCounts: Array<string> }> }
}
interface DataPoint {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asInt?: string | number
  readonly asDouble?: number
  readonly count?: string | number
}
interface Body {
  readonly resourceSpans?: ReadonlyArray<{
    resource: Resource
    scopeSpans: ReadonlyArray<{ spans: Array<OtlpSpan> }>
  }>
  readonly resourceLogs?: ReadonlyArray<{
    resource: Resource
    scopeLogs: ReadonlyArray<{ logRecords: Array<OtlpLogRecord> }>
  }>
  readonly resourceMetrics?: ReadonlyArray<{
    resource: Resource
    scopeMetrics: ReadonlyArray<{ metrics: Array<OtlpMetric> }>
  }>
}

/** Attributes as a plain object; every value as a string. */
export const attributesOf = (from: { readonly attributes: ReadonlyArray<Attribute> }): Record<string, string> =>
  Object.fromEntries(
    from.attributes.map(({ key, value }) => [
      key,
      String(value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue)
    ])
  )

/** A real OTLP/HTTP receiver for JSON bodies that keeps what it is sent. */
export class OtlpReceiver {
  readonly requests: Array<{ readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Body }> = []
  /** What it answers; 0 answers never. */
  status = 200
  private readonly server: Server

  private constructor() {
    this.server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Body
        this.requests.push({ path: request.url ?? "", headers: request.headers, body })
        if (this.status === 0) return
        response.writeHead(this.status, { "content-type": "application/json" }).end("{}")
      })
    })
  }

  static start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver()
    return new Promise((resolve, reject) => {
      receiver.server.once("error", reject)
      receiver.server.listen(0, "127.0.0.1", () => resolve(receiver))
    })
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private bodies(path: string): ReadonlyArray<Body> {
    return this.requests.filter((request) => request.path === path).map((request) => request.body)
  }

  get spans(): ReadonlyArray<OtlpSpan> {
    return this.bodies("/v1/traces").flatMap((body) =>
      (body.resourceSpans ?? []).flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans))
    )
  }

  get logs(): ReadonlyArray<OtlpLogRecord> {
    return this.bodies("/v1/logs").flatMap((body) =>
      (body.resourceLogs ?? []).flatMap((resource) => resource.scopeLogs.flatMap((scope) => scope.logRecords))
    )
  }

  get metrics(): ReadonlyArray<OtlpMetric> {
    return this.bodies("/v1/metrics").flatMap((body) =>
      (body.resourceMetrics ?? []).flatMap((resource) => resource.scopeMetrics.flatMap((scope) => scope.metrics))
    )
  }

  /** The resource attributes of every signal received so far, by path. */
  get resources(): ReadonlyArray<{ readonly path: string; readonly attributes: Record<string, string> }> {
    return this.requests.flatMap(({ body, path }) =>
      [...(body.resourceSpans ?? []), ...(body.resourceLogs ?? []), ...(body.resourceMetrics ?? [])].map((entry) => ({
        path,
        attributes: attributesOf(entry.resource)
      }))
    )
  }

  stop(): Promise<void> {
    this.server.closeAllConnections()
    return new Promise((resolve) => this.server.close(() => resolve()))
  }
}
