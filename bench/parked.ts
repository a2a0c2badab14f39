/**
 * `npm run bench -- --parked`: very many events of one parked user come into the stream, while others' events come at a steady
 * rate: the memory of the process, how long the others wait before, meanwhile and after, and whether each of the parked events is
 * delivered once its user is unparked, and once only.
 */
import { openSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Redis } from "ioredis"
import { defaultStreams } from "../src/domain/options/options.ts"
import { freePort, waitUntil } from "../test/support/redis-server.ts"
import { cpuOf, end, operate, rssOf, startService, starvedOf } from "./command.ts"
import { eventFields } from "./events.ts"
import { addEvents } from "./feeds.ts"
import { quantile, startFlow } from "./flow.ts"
import type { Receiver } from "./harness.ts"
import type { VariantConfig } from "./protocol.ts"

const partition = "user_id=parked"
const othersPerSecond = 40
const otherUsers = 30
const tellEveryMs = 10_000
/** As long as it is watched before anything is parked. */
const beforeMs = 20_000

interface Looked {
  readonly unread: number
  readonly pending: number
  readonly inDlq: number
}

const lookAt = async (redis: Redis, { group, stream }: VariantConfig): Promise<Looked> => {
  const [groups = []] = (await redis.xinfo("GROUPS", stream)) as ReadonlyArray<ReadonlyArray<unknown>>
  const of = (name: string) => Number(groups[groups.indexOf(name) + 1])
  const [pendingOfDlq] = (await redis.xpending(defaultStreams.dlq, group)) as [number]
  const inDlq = await redis.xlen(defaultStreams.dlq)
  return { unread: of("lag"), pending: of("pending") + pendingOfDlq, inDlq }
}

/** What the service says of itself: requests under way and how many may be, what it holds, and whether all is well with the API. */
interface Told {
  readonly inFlight: number
  readonly most: number
  readonly held: number
  readonly circuit: string
}

const askService = async (httpPort: number): Promise<Told> => {
  const answer = await fetch(`http://127.0.0.1:${httpPort}/metrics`)
  const metrics = await answer.text()
  const figure = (name: string) => Number(new RegExp(`^job_collector_${name} (\\S+)`, "m").exec(metrics)?.[1])
  const circuit = figure("circuit_open") === 1 ? "open" : "closed"
  return { inFlight: figure("in_flight"), most: figure("delivery_concurrency"), held: figure("held"), circuit }
}

const cells = (...texts: ReadonlyArray<string | number>) => texts.map((text) => `${text}`.padStart(11)).join("")

/** Tells a line now and then, and what a phase came to. */
const makeTelling = async (
  redis: Redis,
  config: VariantConfig,
  receiver: Receiver,
  { httpPort, pid }: { readonly pid: number; readonly httpPort: number }
) => {
  const { requests } = await receiver.seen()
  const began = performance.now()
  const phases = new Map<string, { latencies: Array<number>; most: number; seconds: number; cpu: number }>()
  let last = { at: began, cpu: cpuOf(pid), starved: starvedOf(pid) }
  let others = 0
  let parked = 0
  let repeated = 0
  const tell = async (phase: string): Promise<Looked> => {
    const { latencies, ...seen } = await receiver.seen()
    const [looked, told] = await Promise.all([lookAt(redis, config), askService(httpPort)])
    const [rss, cpu, starved, at] = [rssOf(pid), cpuOf(pid), starvedOf(pid), performance.now()]
    others += latencies.length
    parked = seen.requests - requests - others
    repeated = seen.repeated
    const known = phases.get(phase) ?? { latencies: [], most: 0, seconds: 0, cpu: 0 }
    phases.set(phase, known)
    known.latencies.push(...latencies)
    known.most = Math.max(known.most, rss)
    const seconds = (at - last.at) / 1_000
    known.seconds += seconds
    known.cpu += cpu - last.cpu
    const millis = (part: number) => (quantile(latencies, part) / 1_000).toFixed(1)
    console.log(
      phase.padEnd(12) +
        cells(
          `${((at - began) / 1_000).toFixed(0)} s`,
          `${rss.toFixed(0)} MB`,
          ((cpu - last.cpu) / seconds).toFixed(0),
          ((starved - last.starved) / seconds).toFixed(0)
        ) +
        cells((latencies.length / seconds).toFixed(1), millis(0.5), millis(0.99)) +
        cells(looked.unread, looked.inDlq, told.held, `${told.inFlight}/${told.most}`, told.circuit, parked, repeated)
    )
    last = { at, cpu, starved }
    return looked
  }
  return { tell, phases, counts: () => ({ others, parked, repeated }) }
}

export const measureParked = async (config: VariantConfig, receiver: Receiver, count: number): Promise<void> => {
  const redis = new Redis(config.redisPort)
  const producer = new Redis(config.redisPort)
  for (const stream of [config.stream, defaultStreams.dlq])
    await redis.xgroup("CREATE", stream, config.group, "0", "MKSTREAM")
  const httpPort = await freePort()
  const logFile = join(tmpdir(), `job-collector-parked-${process.pid}.log`)
  const service = startService(config, { httpPort, log: openSync(logFile, "w") })
  console.log(`The service's log is in ${logFile}.`)
  const flow = startFlow(producer, config.stream, othersPerSecond, otherUsers)
  await sleep(5_000)
  const { counts, phases, tell } = await makeTelling(redis, config, receiver, { pid: service.pid ?? 0, httpPort })
  const tellUntil = async (phase: string, isOver: (looked: Looked) => boolean) => {
    const began = performance.now()
    for (;;) {
      await sleep(tellEveryMs)
      if (isOver(await tell(phase))) return (performance.now() - began) / 1_000
    }
  }
  console.log(
    `${count} events of a parked user, ${othersPerSecond} a second of others; latencies from XADD to request\n` +
      "(starved: milliseconds of a second for which the service was ready to run and the machine had no CPU for it)\n"
  )
  console.log(
    " ".repeat(12) +
      cells(
        "",
        "RSS",
        "CPU ms/s",
        "starved",
        "others/s",
        "p50 ms",
        "p99 ms",
        "unread",
        "in DLQ",
        "held",
        "in flight",
        "circuit"
      ) +
      cells("parked sent", "repeated")
  )
  for (let told = 0; told < beforeMs; told += tellEveryMs) await tellUntil("before", () => true)
  operate(config.redisPort, "park", partition)
  // A rule is obeyed within two seconds.
  await sleep(3_000)
  const fieldsOf = (n: number, now: number) => ({ ...eventFields(n, now), user_id: "parked" })
  const adding = addEvents(redis, config.stream, count, fieldsOf)
  const [aside] = await Promise.all([
    tellUntil(
      "setting aside",
      ({ inDlq, pending, unread }) => unread < othersPerSecond && pending >= count && inDlq > 0
    ),
    adding
  ])
  for (let told = 0; told < beforeMs; told += tellEveryMs) await tellUntil("parked", () => true)
  operate(config.redisPort, "unpark", partition)
  const back = await tellUntil("unparked", () => counts().parked >= count)
  await flow.stop()
  await waitUntil("nothing is pending", async () => (await lookAt(redis, config)).pending === 0, 60_000)
  await tell("end")
  const { others, parked, repeated } = counts()
  await end(service)
  console.log(`\n${"phase".padEnd(16)}${cells("others/s", "p50 ms", "p99 ms", "most RSS")}`)
  for (const [phase, { latencies, most, seconds }] of phases) {
    const millis = (part: number) => (quantile(latencies, part) / 1_000).toFixed(1)
    const rate = (latencies.length / seconds).toFixed(1)
    console.log(phase.padEnd(16) + cells(rate, millis(0.5), millis(0.99), `${most.toFixed(0)} MB`))
  }
  const each = (phase: string, seconds: number) =>
    `${(count / seconds).toFixed(0)}/s, ${(((phases.get(phase)?.cpu ?? 0) * 1_000) / count).toFixed(0)} µs of CPU each`
  console.log(`\nset aside: ${each("setting aside", aside)}; after unpark: ${each("unparked", back)}`)
  console.log(`${parked} of ${count} parked events were requested, ${repeated} events more than once; ${others} others`)
  for (const client of [redis, producer]) client.disconnect()
}
