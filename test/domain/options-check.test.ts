import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Schema } from "effect"
import { HttpClient } from "effect/http"
import * as EventKind from "../../src/domain/events/eventKind.ts"
import { resolveOptions } from "../../src/domain/options/givenOptions.ts"
import { type CollectorOptions, defaultOptions, defaultStreams } from "../../src/domain/options/options.ts"
import { OptionsError, optionProblems } from "../../src/domain/options/optionsCheck.ts"
import { JobCollector, type JobCollectorOptions, layerMemoryRedis, type Redis, type Signer } from "../../src/index.ts"
import * as SimulatedSigner from "../../src/testing/SimulatedSigner.ts"

const sound: CollectorOptions = { ...defaultOptions, apiBaseUrl: "https://api.example/base" }

const kind = (name: string, stream = name) =>
  EventKind.make({
    name,
    stream,
    schema: Schema.Struct({ event_id: Schema.String }),
    request: ({ event_id }) => ({ path: "/x", body: {}, idempotencyKey: event_id })
  })

const parts = Layer.provide([
  layerMemoryRedis,
  SimulatedSigner.layer,
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make(() => Effect.die("nothing is sent"))
  )
])

/** The options that are found to be wrong. */
const wrong = (more: Partial<CollectorOptions>): ReadonlyArray<string> =>
  optionProblems({ ...sound, ...more }).map(({ option }) => option)

describe("the options of a composing app", () => {
  it("are in order by default, with kinds of its own, shards and every retention", () => {
    assert.deepStrictEqual(wrong({}), [])
    const second = { transcribe: "t", process: "p", dlq: "d", abandoned: "a" }
    assert.deepStrictEqual(
      wrong({ kinds: [kind("refund"), kind("bonus")], streams: [defaultStreams, second], groupStartId: "5-1" }),
      []
    )
    assert.deepStrictEqual(wrong({ sourceRetention: Duration.days(1) }), [])
    assert.deepStrictEqual(wrong({ sourceRetention: "acknowledged", rejectStatuses: new Set() }), [])
  })

  it("may have no bounds of age and none on the future, and shards that share their abandoned stream", () => {
    assert.deepStrictEqual(wrong({ eventMaxAge: Duration.infinity, eventMaxSkew: Duration.zero }), [])
    const second = { transcribe: "t", process: "p", dlq: "d", abandoned: defaultStreams.abandoned }
    assert.deepStrictEqual(wrong({ streams: [defaultStreams, second] }), [])
  })

  const cases: ReadonlyArray<readonly [Partial<CollectorOptions>, ReadonlyArray<string>]> = [
    [{ apiBaseUrl: "api.example" }, ["apiBaseUrl"]],
    [{ apiBaseUrl: "https://u:p@api.example" }, ["apiBaseUrl"]],
    [{ apiBaseUrl: "https://api.example?x" }, ["apiBaseUrl"]],
    [{ serviceId: "a b\nc" }, ["serviceId"]],
    [{ consumerGroup: "", consumerName: " " }, ["consumerGroup", "consumerName"]],
    [{ groupStartId: "-" }, ["groupStartId"]],
    [{ groupStartId: "99999999999999999999" }, ["groupStartId"]],
    [{ eventMaxAge: Duration.zero }, ["eventMaxAge"]],
    [
      { configSync: { directory: " ", interval: Duration.zero, drift: "repair" } },
      ["configSync.interval", "configSync.directory"]
    ],
    [{ rejectStatuses: new Set([200]) }, ["rejectStatuses"]],
    [
      { deliveryConcurrency: 0, dlqHold: 1.5, maxDeliveries: Number.NaN },
      ["deliveryConcurrency", "dlqHold", "maxDeliveries"]
    ],
    [{ deliveryRate: { count: 0, perMs: 1_000 } }, ["deliveryRate"]],
    [{ deliveryRate: { count: 5, perMs: 500 } }, ["deliveryRate"]],
    [{ claimIdle: Duration.zero, healthInterval: Duration.infinity }, ["claimIdle", "healthInterval"]],
    [{ isolateBy: ["user"], isolateShare: 0 }, ["isolateBy", "isolateShare"]],
    [{ isolateBy: ["model", "model"], isolateShare: Number.NaN }, ["isolateBy", "isolateShare"]],
    [{ isolateBy: ["shop", "a=b"], kinds: [kind("a", "s")] }, ["isolateBy"]],
    [{ sourceRetention: Duration.zero }, ["sourceRetention"]],
    [{ outcomeRetention: Duration.zero }, ["outcomeRetention"]],
    [{ outcomeRetention: Duration.infinity }, ["outcomeRetention"]],
    [{ streams: [] }, ["streams"]],
    [
      { streams: [defaultStreams, defaultStreams] },
      ["transcribe", "process", "dlq"].map((role) => `streams[1].${role}`)
    ],
    [{ kinds: [kind("a", "s"), kind("b", "s")] }, ["kinds[1].stream"]],
    [{ kinds: [kind("a", defaultStreams.abandoned)] }, ["kinds[0].stream"]],
    [{ kinds: [kind("dlq"), kind("a", "s"), kind("a", "t")] }, ["kinds[0].name", "kinds[2].name"]]
  ]
  it.each(cases)("%j", (more, options) => {
    assert.deepStrictEqual(wrong(more), options)
  })

  it.effect("that are undefined are left out", () =>
    Effect.gen(function* () {
      const options: { readonly apiBaseUrl: string } = JSON.parse('{"apiBaseUrl":"nowhere"}')
      const undefinedToo = { ...options, claimIdle: undefined, serviceId: undefined } as unknown as typeof options
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(JobCollector.layer(undefinedToo).pipe(parts))))
      assert(Exit.isFailure(exit))
      assert.match(String(exit.cause), /apiBaseUrl: must be/)
      assert.notMatch(String(exit.cause), /claimIdle|serviceId/)
    })
  )

  it.effect("name all that is of a wrong type or unknown, and every broken rule beside it, from JavaScript too", () =>
    Effect.gen(function* () {
      const given = JSON.parse(
        JSON.stringify({
          apiBaseUrl: "nowhere",
          apiTimeout: "5 parsecs",
          deliveryConcurrency: "64",
          streams: [{ transcribe: "t" }],
          circuitBreaker: "off",
          kinds: [{ name: "refund" }],
          configSync: { directory: "/config" },
          outcomeRetention: true,
          dlqHold: 0,
          deliverConcurrency: 8
        })
      )
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(JobCollector.layer(given).pipe(parts))))
      assert(Exit.isFailure(exit))
      const [error] = exit.cause.reasons.flatMap((reason) => (reason._tag === "Fail" ? [reason.error] : []))
      assert(error instanceof OptionsError)
      assert.deepStrictEqual(
        error.problems.map(({ option }) => option),
        [
          "apiBaseUrl",
          "dlqHold",
          "apiTimeout",
          "deliveryConcurrency",
          "streams",
          "circuitBreaker",
          "kinds",
          "configSync",
          "outcomeRetention",
          "deliverConcurrency"
        ]
      )
      assert.include(error.message, 'apiTimeout: must be a duration, such as "5 seconds"')
      assert.include(error.message, "deliverConcurrency: is no option")
    })
  )

  it("may have durations of any kind, and what is undefined counts as left out", () => {
    const { options, problems } = resolveOptions({
      apiBaseUrl: "https://api.example",
      apiTimeout: "5 seconds",
      claimIdle: 90_000,
      eventMaxAge: Duration.infinity,
      sourceRetention: { hours: 2 },
      outcomeRetention: "1 day",
      rejectStatuses: [400, 410],
      serviceId: undefined
    })
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual(
      [options.apiTimeout, options.claimIdle, options.sourceRetention, options.outcomeRetention].map((it) =>
        Duration.toMillis(it as Duration.Duration)
      ),
      [5_000, 90_000, 7_200_000, 86_400_000]
    )
    assert.deepStrictEqual([...options.rejectStatuses], [400, 410])
    assert.strictEqual(options.serviceId, "job-collector")
  })

  it("ask for no FileSystem without configuration sync, whatever type the options have", () => {
    const options: JobCollectorOptions = { apiBaseUrl: "https://api.example" }
    const layer: Layer.Layer<JobCollector, OptionsError, Redis | HttpClient.HttpClient | Signer> =
      JobCollector.layer(options)
    assert.isTrue(Layer.isLayer(layer))
  })

  it.effect("fail the layer by name before anything is started", () =>
    Effect.gen(function* () {
      const layer = JobCollector.layer({ apiBaseUrl: "nowhere", deliveryConcurrency: 0 }).pipe(parts)
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
      assert(Exit.isFailure(exit))
      const [error] = exit.cause.reasons.flatMap((reason) => (reason._tag === "Fail" ? [reason.error] : []))
      assert(error instanceof OptionsError)
      assert.match(error.message, /^apiBaseUrl: must be .*\ndeliveryConcurrency: must be a whole number of at least 1$/)
    })
  )
})
