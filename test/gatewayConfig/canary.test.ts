import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Layer, Logger, Metric, References, Tracer } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { fileNames } from "../../src/domain/gatewayConfig/files.ts"
import { layer as gatewayLayer } from "../../src/layers/gateway/NodeGateway.ts"
import { layer as storeLayer } from "../../src/layers/gatewayConfig/FileConfigStore.ts"
import { layer as httpLayer } from "../../src/layers/http/LeanHttpClient.ts"
import { layer as apiLayer } from "../../src/layers/jobsApi/JobsApi.ts"
import { layer as processesLayer } from "../../src/layers/node/NodeProcesses.ts"
import { make } from "../../src/programs/gatewayConfig/configSync.ts"
import { JobsApi } from "../../src/services/JobsApi.ts"
import { Signer } from "../../src/services/Signer.ts"
import { bundleOf, canary } from "./support/bundles.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "job-collector-canary-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A jobs API over HTTP that answers with what it is told, with an ETag and a Content-Digest. */
const serve = Effect.acquireRelease(
  Effect.promise(async () => {
    const api = { status: 200, body: "", requests: 0, notModified: 0, url: "" }
    const server = createServer((request, response) => {
      api.requests += 1
      const etag = `"${api.body.length}-${api.body.slice(0, 14)}"`.replaceAll(/[{": ]/g, "")
      if (request.headers["if-none-match"] === `"${etag}"`) {
        api.notModified += 1
        response.writeHead(304).end()
      } else response.writeHead(api.status, { etag: `"${etag}"`, "content-type": "application/json" }).end(api.body)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    api.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`
    return { api, server }
  }),
  ({ server }) => Effect.sync(() => server.close())
)

const signer = Layer.succeed(
  Signer,
  Signer.of({
    publicKey: new Uint8Array(32),
    sign: () => Effect.succeed(new Uint8Array(64)),
    verify: () => Effect.succeed(true),
    sha256: () => new Uint8Array(32),
    hasher: () => ({ update: () => {}, digest: () => new Uint8Array(32) })
  })
)

/** Everything a run shows to anybody: log lines, spans, status texts. */
class Outputs {
  readonly texts: Array<string> = []
  readonly logger = Logger.make<unknown, void>(({ cause, fiber, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    this.texts.push(`log ${JSON.stringify(message)} ${JSON.stringify(annotations)} ${Cause.pretty(cause)}`)
  })
  readonly tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.texts.push(`span ${span.name}`)
      return new Proxy(span, {
        get: (target, key, receiver) => {
          if (key === "attribute" || key === "event") {
            return (...args: ReadonlyArray<unknown>) => {
              this.texts.push(
                `span ${target.name} ${JSON.stringify(args, (_, v) => (typeof v === "bigint" ? `${v}` : v))}`
              )
              return Reflect.apply(Reflect.get(target, key), target, args)
            }
          }
          const value = Reflect.get(target, key, receiver)
          return typeof value === "function" ? value.bind(target) : value
        }
      })
    }
  })
}

const run = <A, E>(
  outputs: Outputs,
  use: (
    sync: Effect.Success<ReturnType<typeof make>>,
    api: Effect.Success<typeof serve>["api"],
    jobs: JobsApi["Service"]
  ) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const { api } = yield* serve
    const shown = join(folder, "shown")
    const platform = Layer.mergeAll(processesLayer, httpLayer()).pipe(Layer.provideMerge(NodeServices.layer))
    const command = ["sh", "-c", `ps -eo args >> ${shown}; env >> ${shown}`]
    const environment = { PATH: process.env.PATH ?? "", ED25519_PRIVATE_KEY: canary, REDIS_URL: `redis://:${canary}@h` }
    const services = Layer.mergeAll(
      storeLayer({ directory: join(folder, "config") }),
      gatewayLayer({ reloadCommand: JSON.stringify(command), environment }),
      apiLayer({ baseUrl: api.url, serviceId: "job-collector", timeout: "10 seconds" }).pipe(Layer.provide(signer))
    ).pipe(Layer.provide(platform))
    return yield* Effect.gen(function* () {
      const sync = yield* make({ interval: Duration.seconds(60), drift: "repair" })
      return yield* use(sync, api, yield* JobsApi)
    }).pipe(
      Effect.provide(
        Layer.mergeAll(services, Logger.layer([outputs.logger]), Layer.succeed(References.MinimumLogLevel, "Trace"))
      ),
      Effect.withTracer(outputs.tracer)
    )
  }).pipe(Effect.scoped)

describe("a run over real HTTP, files and processes", () => {
  it.live("shows no key to anybody", () =>
    Effect.gen(function* () {
      const outputs = new Outputs()
      const bad = (change: object) => JSON.stringify({ ...bundleOf(9), ...change })
      const metrics = yield* run(outputs, (sync, api) =>
        Effect.gen(function* () {
          const tick = (body: string, outcome: string, status = 200) =>
            Effect.gen(function* () {
              Object.assign(api, { body, status })
              assert.strictEqual(yield* sync.tick, outcome, body.slice(0, 200))
              outputs.texts.push(`status ${JSON.stringify(yield* sync.status)}`)
            })
          yield* tick(JSON.stringify(bundleOf(1)), "changed")
          assert.strictEqual(statSync(join(folder, "config/openai.conf")).mode & 0o777, 0o600)
          yield* tick(JSON.stringify(bundleOf(1)), "unchanged")
          assert.strictEqual(api.notModified, 1)
          yield* tick(
            JSON.stringify(bundleOf(2, { openai_keys: [{ id: "other", key: `${canary}-2`, org: canary }] })),
            "changed"
          )
          const leaky = {
            id: "gpt-4o",
            provider: canary,
            enabled: true,
            rules: { api_key: canary },
            costs: { [canary]: 1 }
          }
          yield* tick(JSON.stringify(bundleOf(3, { model_configs: [leaky] })), "changed")
          yield* tick(bad({ openai_keys: [{ id: "a", key: [canary] }] }), "refused")
          yield* tick(
            bad({
              openai_keys: [
                { id: "a", key: canary },
                { id: "a", key: canary }
              ]
            }),
            "refused"
          )
          yield* tick(bad({ openai_keys: canary }), "refused")
          yield* tick(`{"openai_keys": "${canary}" oops`, "refused")
          yield* tick(JSON.stringify({ error_code: "E", error_message: "down" }), "failed", 500)
          const file = join(folder, "config/openai.conf")
          const edited = readFileSync(file, "utf8").replaceAll(canary, `${canary}-edited`)
          yield* Effect.sync(() => rmSync(file))
          yield* Effect.promise(() => import("node:fs/promises").then((fs) => fs.writeFile(file, edited)))
          yield* tick(JSON.stringify(bundleOf(3, { model_configs: [leaky] })), "changed")
          return yield* PrometheusMetrics.format()
        })
      )
      outputs.texts.push(metrics, readFileSync(join(folder, "shown"), "utf8"))
      const all = outputs.texts.join("\n")
      assert.include(all, "config.changed")
      assert.include(all, "config.repaired")
      assert.include(all, "config.refused")
      assert.include(all, "span ")
      assert.include(all, "job_collector_config_version")
      assert.include(all, "PATH=")
      const leak = outputs.texts.find((text) => text.includes(canary))
      assert.isUndefined(leak)
      assert.include(readFileSync(join(folder, "config/openai.conf"), "utf8"), canary)
    }).pipe(
      Effect.provideServiceEffect(
        Metric.MetricRegistry,
        Effect.sync(() => new Map())
      )
    )
  )

  it.live("an unchanged tick costs less than 1 ms of CPU beyond its request", () =>
    Effect.gen(function* () {
      const outputs = new Outputs()
      const ticks = 50
      const spent = yield* run(outputs, (sync, api, jobs) =>
        Effect.gen(function* () {
          api.body = JSON.stringify(bundleOf(1))
          yield* sync.tick
          // Files that were written a moment ago are read again at every tick.
          const old = Date.now() / 1_000 - 60
          for (const name of fileNames) utimesSync(join(folder, "config", name), old, old)
          for (let n = 0; n < 100; n++) yield* sync.tick
          /** The CPU that one of a round costs, in µs. */
          const costOf = <A, E>(one: Effect.Effect<A, E>) =>
            Effect.gen(function* () {
              const before = process.cpuUsage()
              for (let n = 0; n < ticks; n++) yield* one
              const { system, user } = process.cpuUsage(before)
              return (user + system) / ticks
            })
          // The least of several rounds in turn: what others on the machine add comes and goes.
          const least = { tick: Number.POSITIVE_INFINITY, request: Number.POSITIVE_INFINITY }
          for (let round = 0; round < 6; round++) {
            least.tick = Math.min(least.tick, yield* costOf(sync.tick))
            least.request = Math.min(least.request, yield* costOf(jobs.configurations('"another"')))
          }
          return least
        })
      )
      // On a slow machine the request takes long as well.
      assert.isBelow(spent.tick - spent.request, Math.max(1_000, 5 * spent.request))
    })
  )
})
