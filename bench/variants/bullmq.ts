/** The same handler as a BullMQ worker. */
import { Worker } from "bullmq"
import { runVariant } from "../protocol.ts"
import { makeDeliver } from "./delivery.ts"

await runVariant(async (config) => {
  const deliver = makeDeliver(config)
  const worker = new Worker<Record<string, string>>(config.group, (job) => deliver(job.data, job.id ?? ""), {
    connection: { host: "127.0.0.1", port: config.redisPort },
    concurrency: config.concurrency,
    removeOnComplete: { count: 0 }
  })
  await worker.waitUntilReady()
})
