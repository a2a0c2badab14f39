/** What is too long for the test suite: an API outage, a flood of waiting events, a Cluster that loses a master. */
import { setTimeout as sleep } from "node:timers/promises"
import { Cluster } from "ioredis"
import type { CollectorProcess } from "../support/collector-process.ts"
import { testKey } from "../support/collector-process.ts"
import { defaultStreams, describeAccount } from "../support/conservation.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisCluster } from "../support/redis-cluster.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { Scene } from "./scene.ts"

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

/** The API refuses connections for a while in which events arrive. */
export const apiOutage = async (events = 2_000, outageMs = 90_000): Promise<string> => {
  const scene = await Scene.withRedis(await RedisServer.start())
  try {
    await scene.start().collecting()
    await scene.produce(200, 2_000)
    await scene.api.close()
    await Promise.all([scene.produce(events, outageMs * 0.9), sleep(outageMs)])
    await scene.api.listen()
    const back = Date.now()
    const account = await scene.settled(180_000)
    const attempts = Math.max(0, ...[...scene.api.attempts.values()].flat())
    return `API outage of ${seconds(outageMs)}: ${describeAccount(account)}; all done ${seconds(Date.now() - back)} after its end, highest attempt number ${attempts}`
  } finally {
    await scene.close()
  }
}

const fill = async (scene: Scene, stream: string, count: number, fields: (i: number) => Array<string>) => {
  const { client } = scene
  for (let at = 0; at < count; at += 2_000) {
    const pipeline = client.pipeline()
    for (let i = at; i < Math.min(count, at + 2_000); i++) pipeline.xadd(stream, "*", ...fields(i))
    await pipeline.exec()
  }
}

/** Follows how far the work is and how much memory it takes. */
const watch = async (
  scene: Scene,
  collectors: ReadonlyArray<CollectorProcess>,
  until: () => boolean,
  deadlineMs: number
): Promise<{ readonly mostMb: number; readonly rates: ReadonlyArray<number> }> => {
  let mostMb = 0
  const rates: Array<number> = []
  let last = scene.api.charges.size
  const end = Date.now() + deadlineMs
  while (!until() && Date.now() < end) {
    await sleep(1_000)
    for (const collector of collectors) mostMb = Math.max(mostMb, collector.rssMb)
    rates.push(scene.api.charges.size - last)
    last = scene.api.charges.size
  }
  return { mostMb, rates }
}

/** A million events wait and a hundred thousand in the DLQ: memory, and the rate of catching up, for one and three. */
export const backlog = async (waiting = 1_000_000, inDlq = 100_000, forMs = 60_000): Promise<string> => {
  const lines: Array<string> = []
  const scene = await Scene.withRedis(await RedisServer.start(["--maxmemory", "0"]))
  const [transcribe = "", process = ""] = scene.conservation.streams.sources
  try {
    const now = Date.now()
    await fill(scene, transcribe, waiting / 2, (i) => transcribeFields(`t-${i}`, now))
    await fill(scene, process, waiting / 2, (i) => processFields(`p-${i}`, now))
    await fill(scene, scene.conservation.streams.dlqs[0] ?? "", inDlq, (i) => [
      "retry",
      JSON.stringify({
        attempt: 1,
        not_before: now + 600_000,
        origin_stream: transcribe,
        origin_id: `${now}-${i}`,
        first_failed_at: now,
        last_failed_at: now,
        error_code: "HTTP_500",
        error_message: ""
      }),
      "event",
      JSON.stringify(Object.fromEntries(pairs(transcribeFields(`d-${i}`, now))))
    ])
    const one = scene.start()
    await one.collecting()
    const alone = await watch(scene, [one], () => false, forMs)
    lines.push(
      `one replica over ${seconds(forMs)}: ${Math.round(average(alone.rates))} events/s, at most ${Math.round(alone.mostMb)} MB`
    )
    const more = [scene.start(), scene.start()]
    await Promise.all(more.map((collector) => collector.collecting()))
    const three = [one, ...more]
    await sleep(2_000)
    const before = await perConsumer(three)
    const together = await watch(scene, three, () => false, forMs / 2)
    const after = await perConsumer(three)
    lines.push(
      `three replicas over ${seconds(forMs / 2)}: ${Math.round(average(together.rates))} events/s, at most ${Math.round(together.mostMb)} MB each, shares ${after.map((count, i) => count - (before[i] ?? 0)).join(" / ")}`
    )
    return `${waiting} events waiting and ${inDlq} in the DLQ:\n  ${lines.join("\n  ")}`
  } finally {
    await scene.close()
  }
}

const pairs = (flat: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""] as const] : []))

const average = (numbers: ReadonlyArray<number>): number => numbers.reduce((sum, n) => sum + n, 0) / numbers.length

/** How many events each has received so far, by its own metrics. */
const perConsumer = (collectors: ReadonlyArray<CollectorProcess>): Promise<ReadonlyArray<number>> =>
  Promise.all(
    collectors.map(async (collector) =>
      [
        ...((await collector.text("/metrics")) ?? "").matchAll(/^job_collector_events_received_total\{[^}]*\} (\d+)/gm)
      ].reduce((sum, [, count]) => sum + Number(count), 0)
    )
  )

const tagged = (name: string): string => name.replace("modelsgateway", "{modelsgateway}")

/** A Cluster of three masters and three replicas; the master that has the streams is killed under traffic. */
export const clusterFailover = async (events = 5_000): Promise<string> => {
  const cluster = await RedisCluster.start({ replicas: 1, nodeTimeout: 1_000 })
  const api = await ReceivingApi.start(testKey.public)
  const client = new Cluster([...cluster.addresses], {
    clusterRetryStrategy: () => 100,
    redisOptions: { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false }
  }).on("error", () => {})
  const streams = {
    sources: defaultStreams.sources.map(tagged),
    dlqs: defaultStreams.dlqs.map(tagged),
    abandoned: defaultStreams.abandoned.map(tagged),
    group: defaultStreams.group
  }
  const scene = new Scene(
    api,
    client,
    {
      REDIS_CLUSTER_NODES: cluster.addresses.map(({ host, port }) => `${host}:${port}`).join(","),
      GROUP_START_ID: "0",
      CLAIM_IDLE: "3 seconds",
      STREAM_TRANSCRIBE: streams.sources[0] ?? "",
      STREAM_PROCESS: streams.sources[1] ?? "",
      STREAM_DLQ: streams.dlqs[0] ?? "",
      STREAM_ABANDONED: streams.abandoned[0] ?? ""
    },
    streams,
    [() => cluster.stop()]
  )
  try {
    await Promise.all([scene.start(), scene.start()].map((collector) => collector.collecting()))
    const producing = scene.produce(events, 15_000)
    await waitUntil("traffic flows", () => api.charges.size > events / 5, 30_000)
    const slot = await cluster.slot(streams.sources[0] ?? "")
    const master = await cluster.owner(slot)
    const producedBefore = scene.conservation.produced.size
    await master.down("SIGKILL")
    const killed = Date.now()
    const chargedThen = api.charges.size
    const inFlight = producedBefore - chargedThen
    await waitUntil("another master has the slot", async () => (await cluster.owner(slot)).port !== master.port, 30_000)
    const failedOver = Date.now()
    scene.conservation.redisLost("failover: acknowledged by the old master, not copied to the new one yet")
    await waitUntil("deliveries go on", () => api.charges.size > chargedThen + Math.max(200, inFlight), 60_000)
    const backAfter = Date.now() - failedOver
    await producing
    const account = await scene.settled(120_000)
    return [
      `Cluster, master killed: failover took ${seconds(failedOver - killed)}, deliveries went on ${seconds(backAfter)} later; ${describeAccount(account)}`,
      ...account.lostByRedis.map(({ cause, eventId }) => `  ${eventId}: ${cause}`)
    ].join("\n")
  } finally {
    await scene.close()
  }
}
