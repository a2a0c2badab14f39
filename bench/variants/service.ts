/** This service, composed as a host app composes it: everything that it promises is on. */
import { Duration, Effect, Layer, Redacted, References } from "effect"
import { JobCollector } from "../../src/JobCollector.ts"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as IoRedis from "../../src/layers/redis/ioredis/IoRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { runVariant } from "../protocol.ts"

await runVariant(async (config) => {
  const services = Layer.mergeAll(
    IoRedis.layer({ url: Redacted.make(`redis://127.0.0.1:${config.redisPort}`) }),
    LeanHttpClient.layer({ connections: 2 * config.concurrency }),
    NativeSigner.layer(Redacted.make(config.privateKey))
  )
  const collector = JobCollector.layer({
    apiBaseUrl: config.apiUrl,
    deliveryConcurrency: config.concurrency,
    consumerGroup: config.group,
    outcomeRetention: config.keepsOutcomes ? Duration.hours(1) : "none"
  }).pipe(Layer.provide([services, Layer.succeed(References.MinimumLogLevel, "Warn")]))
  Effect.runPromise(Effect.provide(JobCollector.join, collector)).catch((error) => {
    console.error(error)
    process.exit(1)
  })
})
