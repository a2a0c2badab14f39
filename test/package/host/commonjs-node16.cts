/** A CommonJS host under `module: "node16"`. */
import type { JobCollectorOptions } from "job-collector" with { "resolution-mode": "import" }

const options: JobCollectorOptions = { apiBaseUrl: "http://127.0.0.1:9" }

const main = async () => {
  const { Effect, Layer, Redacted } = await import("effect")
  const { JobCollector, layerLeanHttpClient, layerMemoryRedis, layerNativeSigner } = await import("job-collector")
  const signer = layerNativeSigner(Redacted.make("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
  const collector = JobCollector.layer(options).pipe(Layer.provide([layerMemoryRedis, layerLeanHttpClient(), signer]))
  const report = Effect.flatMap(JobCollector, ({ health }) => health.report)
  const { status } = await Effect.runPromise(Effect.provide(report, collector))
  console.log(`the collector is ${status}`)
}

void main()
