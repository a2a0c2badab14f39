/**
 * `npm run bench`: CPU time per delivered event of the process that delivers, and events per second, of (a) a loop written
 * by hand without any safety, (b) a BullMQ worker with the same handler, (c) this service. One private redis-server, one
 * receiving server, each in a process of its own; every variant in a fresh process each round, warmed up first for as long
 * as it takes V8 to have compiled what runs often.
 *
 *     npm run bench -- [--events 20000] [--rounds 3] [--concurrency 64] [--warmup 40000] [--only a,b,c]
 *     npm run bench -- --memory [--events 1000000]
 *     npm run bench -- --signatures
 */
import { randomBytes } from "node:crypto"
import { availableParallelism } from "node:os"
import { RedisServer } from "../test/support/redis-server.ts"
import { scriptFlags } from "../test/support/script-flags.ts"
import { bullmqFeed, type Feed, streamFeed } from "./feeds.ts"
import { type Measured, type Receiver, startReceiver, startVariant } from "./harness.ts"
import { measureMemory } from "./memory.ts"
import type { VariantConfig } from "./protocol.ts"
import { measureSignatures } from "./signatures.ts"

interface Contestant {
  readonly key: string
  readonly name: string
  readonly script: string
  readonly feed: (config: VariantConfig) => Promise<Feed>
}

const overStream = (config: VariantConfig) => streamFeed(config.redisPort, config.stream, config.group)
const overQueue = (config: VariantConfig) => bullmqFeed(config.redisPort, config.group)

const hand: Contestant = { key: "a", name: "hand-written loop", script: "variants/hand.ts", feed: overStream }
const bullmq: Contestant = { key: "b", name: "BullMQ worker", script: "variants/bullmq.ts", feed: overQueue }
const service: Contestant = { key: "c", name: "this service", script: "variants/service.ts", feed: overStream }

const help = `npm run bench -- [flags]: CPU time per delivered event and events per second, against a hand-written loop and BullMQ.

  --events <n>        events in a round (20000; 1000000 with --memory)
  --rounds <n>        rounds of every variant (3)
  --concurrency <n>   deliveries in flight (64)
  --warmup <n>        events before the first round (40000)
  --only <a,b,c>      a: hand-written loop, b: BullMQ worker, c: this service (a,b,c)
  --memory            the service's memory over a long run instead
  --signatures        what each signature scheme costs a request, and the verifier, instead
`

const flags = scriptFlags(help, {
  events: { type: "string" },
  rounds: { type: "string", default: "3" },
  concurrency: { type: "string", default: "64" },
  warmup: { type: "string", default: "40000" },
  only: { type: "string", default: "a,b,c" },
  memory: { type: "boolean", default: false },
  signatures: { type: "boolean", default: false }
})

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const measure = async (contestant: Contestant, config: VariantConfig, receiver: Receiver, events: number) => {
  const feed = await contestant.feed(config)
  const variant = await startVariant(contestant.script, config, feed, receiver)
  await variant.run(Number(flags.warmup))
  const measured = await variant.run(events)
  await variant.stop()
  await feed.close()
  return measured
}

const compare = async (config: VariantConfig, receiver: Receiver) => {
  const events = Number(flags.events ?? 20_000)
  const contestants = [hand, bullmq, service].filter(({ key }) => flags.only.split(",").includes(key))
  const measured = new Map(contestants.map(({ key }) => [key, [] as Measured[]]))
  for (let round = 1; round <= Number(flags.rounds); round++) {
    for (const contestant of contestants) {
      const one = await measure(contestant, config, receiver, events)
      measured.get(contestant.key)?.push(one)
      const [cpu, rate] = [one.cpuMicros / events, events / one.seconds]
      console.log(`round ${round}  ${contestant.name.padEnd(18)} ${cpu.toFixed(1)} µs  ${rate.toFixed(0)}/s`)
    }
  }
  const rows = contestants.map(({ key, name }) => {
    const cpu = (measured.get(key) ?? []).map((one) => one.cpuMicros / events)
    const rate = median((measured.get(key) ?? []).map((one) => events / one.seconds))
    return { name: `(${key}) ${name}`, cpu: median(cpu), least: Math.min(...cpu), rate }
  })
  const [base] = rows
  const cells = (...texts: ReadonlyArray<string>) => texts.map((text) => text.padStart(14)).join("")
  console.log(`\n${events} events, ${flags.rounds} rounds, concurrency ${config.concurrency}; CPU in µs per event\n`)
  console.log(" ".repeat(22) + cells("CPU, median", "ratio", "CPU, least", "ratio", "events/s"))
  for (const { name, cpu, least, rate } of rows) {
    const ratios = [cpu / (base?.cpu ?? cpu), least / (base?.least ?? least)].map((ratio) => ratio.toFixed(2))
    console.log(name.padEnd(22) + cells(cpu.toFixed(1), ratios[0]!, least.toFixed(1), ratios[1]!, rate.toFixed(0)))
  }
}

const privateKey = randomBytes(32).toString("hex")
console.log(`Node ${process.version}, ${availableParallelism()} CPUs\n`)
if (flags.signatures) {
  await measureSignatures(privateKey)
  process.exit()
}
const redis = await RedisServer.start(["--appendonly", "no"])
const receiver = await startReceiver()
const config: VariantConfig = {
  redisPort: redis.port,
  apiUrl: receiver.url,
  stream: "modelsgateway:events:transcribe",
  group: "job-collector-group",
  concurrency: Number(flags.concurrency),
  privateKey
}
try {
  if (flags.memory) {
    await measureMemory(service.script, config, await service.feed(config), receiver, Number(flags.events ?? 1_000_000))
  } else {
    await compare(config, receiver)
  }
} finally {
  receiver.stop()
  await redis.stop()
}
