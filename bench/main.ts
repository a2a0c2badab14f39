/**
 * `npm run bench`: CPU time per delivered event of the process that delivers, and events per second, of (a) a loop written
 * by hand without any safety, (b) a BullMQ worker with the same handler, (c) this service. Each has a redis-server of its
 * own and all have one receiving server, in processes of their own; every variant is a fresh process each round, warmed up
 * first for as long as it takes V8 to have compiled what runs often.
 *
 * The variants are measured by turns, and a ratio is the median of the turns': on a machine that does other work as well,
 * long runs one after the other have told of a fifth more where there was no more.
 *
 *     npm run bench -- [--events 20000] [--rounds 3] [--concurrency 64] [--api-delay 0] [--warmup 40000] [--only a,b,c,d]
 *     npm run bench -- --latency [--rate 1000]
 *     npm run bench -- --growth all [--events 20000]
 *     npm run bench -- --parked [--events 1000000]
 *     npm run bench -- --memory [--events 1000000]
 *     npm run bench -- --signatures
 *     npm run bench -- --start [--runs 9] [--idle 30] [--events 20000]
 */
import { randomBytes } from "node:crypto"
import { availableParallelism } from "node:os"
import { RedisServer } from "../test/support/redis-server.ts"
import { scriptFlags } from "../test/support/script-flags.ts"
import { bullmqFeed, type Feed, streamFeed } from "./feeds.ts"
import { growths, measureGrowth } from "./growth.ts"
import { type Receiver, startReceiver, startVariant, type Variant } from "./harness.ts"
import { measureLatency } from "./latency.ts"
import { median } from "./median.ts"
import { measureMemory } from "./memory.ts"
import { measureParked } from "./parked.ts"
import type { VariantConfig } from "./protocol.ts"
import { measureSignatures } from "./signatures.ts"
import { measureStart } from "./start.ts"

/** Each variant has a redis-server of its own. */
type ServerlessConfig = Omit<VariantConfig, "redisPort">

interface Contestant {
  readonly key: string
  readonly name: string
  readonly script: string
  readonly feed: (config: VariantConfig) => Promise<Feed>
}

const overStream = (config: VariantConfig) => streamFeed(config.redisPort, [config.stream], config.group)
const overQueue = (config: VariantConfig) => bullmqFeed(config.redisPort, config.group)

const hand: Contestant = { key: "a", name: "hand-written loop", script: "variants/hand.ts", feed: overStream }
const bullmq: Contestant = { key: "b", name: "BullMQ worker", script: "variants/bullmq.ts", feed: overQueue }
const service: Contestant = { key: "c", name: "this service", script: "variants/service.ts", feed: overStream }
const outcomes: Contestant = { ...service, key: "d", name: "outcomes kept" }

const help = `npm run bench -- [flags]: CPU time per delivered event and events per second, against a hand-written loop and BullMQ.

  --events <n>        events of each variant in a round (20000; 1000000 with --memory)
  --rounds <n>        rounds of every variant (3)
  --concurrency <n>   deliveries in flight (64)
  --warmup <n>        events before the first round (40000)
  --api-delay <ms>    how long the API takes (0)
  --only <a,b,c,d>    a: hand-written loop, b: BullMQ worker, c: this service, d: it with OUTCOME_RETENTION (a,b,c)
  --latency           the time from XADD to request at --rate events a second instead, against the loop
  --rate <n>          events a second (1000)
  --growth <what>     CPU per event and memory as one thing grows instead: all, or some of
                      isolation,users,waiting,backlog,dlq,kinds,replicas
  --parked            many events of one parked user (--events, 1000000) while others' flow, instead
  --memory            the service's memory over a long run instead
  --signatures        what each signature scheme costs a request, and the verifier, instead
  --start             how fast the command starts, and what the service takes while idle and after --events, instead
  --runs <n>          starts of each kind (9)
  --idle <seconds>    how long it is watched while idle (30)
`

const flags = scriptFlags(help, {
  events: { type: "string" },
  rounds: { type: "string", default: "3" },
  concurrency: { type: "string", default: "64" },
  warmup: { type: "string", default: "40000" },
  only: { type: "string", default: "a,b,c" },
  memory: { type: "boolean", default: false },
  signatures: { type: "boolean", default: false },
  start: { type: "boolean", default: false },
  growth: { type: "string" },
  parked: { type: "boolean", default: false },
  latency: { type: "boolean", default: false },
  rate: { type: "string", default: "1000" },
  runs: { type: "string", default: "9" },
  idle: { type: "string", default: "30" },
  "api-delay": { type: "string", default: "0" }
})

interface Running {
  readonly redis: RedisServer
  readonly feed: Feed
  readonly variant: Variant
}

const startContestant = async (
  contestant: Contestant,
  config: ServerlessConfig,
  receiver: Receiver
): Promise<Running> => {
  const redis = await RedisServer.start(["--appendonly", "no"])
  const own = { ...config, redisPort: redis.port, keepsOutcomes: contestant === outcomes }
  const feed = await contestant.feed(own)
  const variant = await startVariant(contestant.script, own, feed, receiver)
  await variant.run(Number(flags.warmup))
  return { redis, feed, variant }
}

const stopContestant = async ({ feed, redis, variant }: Running) => {
  await variant.stop()
  await feed.close()
  await redis.stop()
}

/** Short enough that whatever else runs on the machine disturbs all variants of a turn alike; long beside what is in flight. */
const eventsOfTurn = Math.max(2_000, 20 * Number(flags.concurrency))

interface Turn {
  /** In microseconds per event. */
  readonly cpu: number
  /** Events per second. */
  readonly rate: number
}

/** Starts each contestant and measures all of them, turn by turn: what each contestant's turns came to. */
const measureRound = async (
  contestants: ReadonlyArray<Contestant>,
  config: ServerlessConfig,
  receiver: Receiver,
  events: number
): Promise<ReadonlyArray<ReadonlyArray<Turn>>> => {
  const running: Array<Running> = []
  for (const contestant of contestants) running.push(await startContestant(contestant, config, receiver))
  const measured = running.map(({ variant }) => ({ variant, turns: [] as Array<Turn> }))
  for (let left = events; left > 0; left -= eventsOfTurn) {
    const count = Math.min(eventsOfTurn, left)
    for (const { variant, turns } of measured) {
      const { cpuMicros, seconds } = await variant.run(count)
      turns.push({ cpu: cpuMicros / count, rate: count / seconds })
    }
    measured.reverse()
  }
  for (const one of running) await stopContestant(one)
  return running.map(({ variant }) => measured.find((one) => one.variant === variant)?.turns ?? [])
}

/** The variants are fed in turn at a steady rate, each warmed up. */
const compareLatency = async (config: ServerlessConfig) => {
  const receiver = await startReceiver({ watches: true, delayMs: Number(flags["api-delay"]) })
  const running: Array<Running> = []
  for (const contestant of [hand, service]) {
    running.push(await startContestant(contestant, { ...config, apiUrl: receiver.url }, receiver))
  }
  const fed = running.map(({ feed, redis }, i) => ({
    name: i === 0 ? hand.name : service.name,
    redisPort: redis.port,
    feed
  }))
  const options = { perSecond: Number(flags.rate), turns: 3 * Number(flags.rounds) }
  await measureLatency(fed, config.stream, receiver, options)
  for (const one of running) await stopContestant(one)
  receiver.stop()
}

const compare = async (config: ServerlessConfig, receiver: Receiver) => {
  const events = Number(flags.events ?? 20_000)
  const contestants = [hand, bullmq, service, outcomes].filter(({ key }) => flags.only.split(",").includes(key))
  const measured = contestants.map(({ key, name }) => ({ key, name, turns: [] as Array<Turn> }))
  for (let round = 1; round <= Number(flags.rounds); round++) {
    const turns = await measureRound(contestants, config, receiver, events)
    for (const [i, one] of measured.entries()) {
      const ofRound = turns[i] ?? []
      one.turns.push(...ofRound)
      const [cpu, rate] = [median(ofRound.map((turn) => turn.cpu)), median(ofRound.map((turn) => turn.rate))]
      console.log(`round ${round}  ${one.name.padEnd(18)} ${cpu.toFixed(1)} µs  ${rate.toFixed(0)}/s`)
    }
  }
  const base = measured[0]?.turns ?? []
  const cells = (...texts: ReadonlyArray<string>) => texts.map((text) => text.padStart(14)).join("")
  console.log(`\n${events} events, ${flags.rounds} rounds, concurrency ${config.concurrency}; CPU in µs per event\n`)
  console.log(" ".repeat(22) + cells("CPU, median", "CPU, least", "ratio, median", "events/s", "ratio, median"))
  for (const { key, name, turns } of measured) {
    const cpu = turns.map((turn) => turn.cpu)
    const ratio = median(cpu.map((own, i) => own / (base[i]?.cpu ?? own)))
    const rates = turns.map((turn) => turn.rate)
    const ofRates = median(rates.map((own, i) => own / (base[i]?.rate ?? own)))
    const ofCpu = [median(cpu).toFixed(1), Math.min(...cpu).toFixed(1), ratio.toFixed(2)]
    const figures = [...ofCpu, median(rates).toFixed(0), ofRates.toFixed(2)]
    console.log(`(${key}) ${name}`.padEnd(22) + cells(...figures))
  }
}

const privateKey = randomBytes(32).toString("hex")
console.log(`Node ${process.version}, ${availableParallelism()} CPUs\n`)
if (flags.signatures) {
  await measureSignatures(privateKey)
  process.exit()
}
const receiver = await startReceiver({ delayMs: Number(flags["api-delay"]) })
const config: ServerlessConfig = {
  apiUrl: receiver.url,
  stream: "modelsgateway:events:transcribe",
  group: "job-collector-group",
  concurrency: Number(flags.concurrency),
  privateKey
}
try {
  if (flags.growth !== undefined) {
    await measureGrowth(
      flags.growth === "all" ? growths : flags.growth.split(","),
      { ...config, redisPort: 0 },
      {
        script: service.script,
        turnEvents: eventsOfTurn,
        turns: Math.ceil(Number(flags.events ?? 20_000) / eventsOfTurn),
        warmup: Number(flags.warmup),
        idleSeconds: Number(flags.idle)
      }
    )
  } else if (flags.latency) {
    await compareLatency(config)
  } else if (flags.memory || flags.start || flags.parked) {
    const redis = await RedisServer.start(["--appendonly", "no"])
    const own = { ...config, redisPort: redis.port }
    if (flags.start) {
      const [runs, idleSeconds, events] = [Number(flags.runs), Number(flags.idle), Number(flags.events ?? 20_000)]
      await measureStart(own, receiver, { runs, idleSeconds, events })
    } else if (flags.parked) {
      const watching = await startReceiver({ watches: true })
      await measureParked({ ...own, apiUrl: watching.url }, watching, Number(flags.events ?? 1_000_000))
      watching.stop()
    } else {
      await measureMemory(service.script, own, await service.feed(own), receiver, Number(flags.events ?? 1_000_000))
    }
    await redis.stop()
  } else {
    await compare(config, receiver)
  }
} finally {
  receiver.stop()
}
