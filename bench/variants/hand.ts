/** The loop one writes by hand in an afternoon: nothing is retried, claimed, validated or kept. */
import { Redis } from "ioredis"
import { runVariant } from "../protocol.ts"
import { makeDeliver } from "./delivery.ts"

type Batch = ReadonlyArray<readonly [string, ReadonlyArray<readonly [string, ReadonlyArray<string>]>]>

await runVariant(async (config) => {
  // The protocol that the service speaks as well; its replies are read below.
  const reader = new Redis({ port: config.redisPort, protocol: 2 })
  const writer = new Redis({ port: config.redisPort, protocol: 2 })
  const deliver = makeDeliver(config)

  const handle = async (id: string, flat: ReadonlyArray<string>) => {
    const fields: Record<string, string> = {}
    for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i]!] = flat[i + 1]!
    await deliver(fields, id)
    await writer.xack(config.stream, config.group, id)
  }

  const loop = async () => {
    for (;;) {
      const batch = (await reader.call(
        ...["XREADGROUP", "GROUP", config.group, "hand", "COUNT", `${config.concurrency}`],
        ...["BLOCK", "5000", "STREAMS", config.stream, ">"]
      )) as Batch | null
      for (const [, entries] of batch ?? []) await Promise.all(entries.map(([id, flat]) => handle(id, flat)))
    }
  }
  void loop()
})
