/** This service, composed as a host app composes it: everything that it promises is on. */
import { Duration, Effect, Layer, Redacted, References, Schema } from "effect"
import * as EventKind from "../../src/domain/events/eventKind.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as IoRedis from "../../src/layers/redis/ioredis/IoRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { kindStream, runVariant } from "../protocol.ts"

/** As a host app's own kind that asks for little. */
const kindOf = (n: number) =>
  EventKind.make({
    name: `kind-${n}`,
    stream: kindStream(n),
    schema: Schema.Struct({ event_id: Schema.NonEmptyString, user_id: Schema.String, model: Schema.String }),
    request: (event) => ({ path: "/api/jobs/add", body: event, idempotencyKey: event.event_id })
  })

await runVariant(async (config) => {
  const services = Layer.mergeAll(
    IoRedis.layer({ url: Redacted.make(`redis://127.0.0.1:${config.redisPort}`) }),
    LeanHttpClient.layer({ connections: 2 * config.concurrency }),
    NativeSigner.layer(Redacted.make(config.privateKey))
  )
  const { kinds = 0 } = config
  const collector = JobCollector.layer({
    apiBaseUrl: config.apiUrl,
    deliveryConcurrency: config.concurrency,
    consumerGroup: config.group,
    // An API that holds its answers back is not taken to be away.
    apiTimeout: Duration.minutes(10),
    kinds: Array.from({ length: kinds }, (_, n) => kindOf(n)),
    builtInKinds: kinds === 0,
    isolateBy: config.isolatesNothing ? [] : undefined,
    outcomeRetention: config.keepsOutcomes ? Duration.hours(1) : "none"
  }).pipe(Layer.provide([services, Layer.succeed(References.MinimumLogLevel, "Warn")]))
  Effect.runPromise(Effect.provide(JobCollector.join, collector)).catch((error) => {
    console.error(error)
    process.exit(1)
  })
})
