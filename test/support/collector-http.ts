import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Exit, Layer, Logger, Metric, Redacted, Scope } from "effect"
import { type HttpClient, HttpRouter } from "effect/http"
import { JobCollector, type JobCollectorOptions } from "../../src/JobCollector.ts"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as IoRedis from "../../src/layers/redis/ioredis/IoRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"

/** The key pair of RFC 8032's first test vector. */
export const privateKey = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
export const publicKey = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex")

export interface Answer {
  readonly status: number
  readonly type: string | null
  readonly text: string
  /** The body as JSON. */
  readonly json: () => Record<string, never>
}

/** A running collector with its endpoints on a port of its own. */
export interface CollectorHttp {
  readonly url: string
  readonly get: (path: string) => Promise<Answer>
  /** A clean stop; the endpoints go on answering. */
  readonly stop: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface CollectorHttpOptions {
  readonly redisUrl: string
  readonly options: JobCollectorOptions
  /** Where the routes are mounted; the root by default. */
  readonly routes?: Layer.Layer<never, never, JobCollector | HttpRouter.HttpRouter>
  /** What sends the requests; the lean client by default. */
  readonly client?: Layer.Layer<HttpClient.HttpClient>
  /** Loggers, tracers; by default nothing is logged. */
  readonly ambient?: Layer.Layer<never>
}

/** Starts a collector on real parts and serves its endpoints. */
export const startCollectorHttp = async ({
  ambient = Logger.layer([]),
  client = LeanHttpClient.layer(),
  options,
  redisUrl,
  routes = JobCollector.routes
}: CollectorHttpOptions): Promise<CollectorHttp> => {
  const server = createServer()
  const parts = Layer.mergeAll(
    IoRedis.layer({ url: Redacted.make(redisUrl) }),
    client,
    NativeSigner.layer(Redacted.make(privateKey)),
    NodeFileSystem.layer
  )
  const layer = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        JobCollector.layer(options).pipe(Layer.provide(parts)),
        NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })
      )
    ),
    Layer.provide(ambient),
    // Other tests' metrics stay out of what is served here.
    Layer.provide(Layer.succeed(Metric.MetricRegistry, new Map()))
  )
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    get: async (path) => {
      const response = await fetch(url + path)
      const text = await response.text()
      return { status: response.status, type: response.headers.get("content-type"), text, json: () => JSON.parse(text) }
    },
    stop: () =>
      Effect.runPromise(
        Effect.provide(
          Effect.flatMap(JobCollector, ({ stop }) => stop),
          context
        )
      ),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
