/**
 * `npm run bench -- --latency`: the time from XADD to request at a steady rate, of the service beside the loop written by hand,
 * by turns.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Redis } from "ioredis"
import { waitUntil } from "../test/support/redis-server.ts"
import type { Feed } from "./feeds.ts"
import { quantile, startFlow } from "./flow.ts"
import type { Receiver } from "./harness.ts"
import { median } from "./median.ts"

/** A variant that has been started and warmed up. */
export interface Fed {
  readonly name: string
  readonly redisPort: number
  readonly feed: Feed
}

interface Turn {
  readonly p50: number
  readonly p99: number
}

const turnSeconds = 5
/** The first events of a turn meet with what another variant has left in the caches. */
const unmeasuredMs = 500

const measureTurn = async (
  { feed, redisPort }: Fed,
  stream: string,
  receiver: Receiver,
  perSecond: number
): Promise<Turn> => {
  const redis = new Redis(redisPort)
  const flow = startFlow(redis, stream, perSecond, 1_000)
  await sleep(unmeasuredMs)
  await receiver.seen()
  await sleep(turnSeconds * 1_000)
  const { latencies } = await receiver.seen()
  await flow.stop()
  await waitUntil("every event is settled", feed.isSettled, 30_000)
  await feed.tidy()
  redis.disconnect()
  return { p50: quantile(latencies, 0.5) / 1_000, p99: quantile(latencies, 0.99) / 1_000 }
}

export const measureLatency = async (
  fed: ReadonlyArray<Fed>,
  stream: string,
  receiver: Receiver,
  options: { readonly perSecond: number; readonly turns: number }
): Promise<void> => {
  const all = fed.map((one) => ({ one, turns: [] as Array<Turn> }))
  const inTurn = [...all]
  for (let turn = 0; turn < options.turns; turn++) {
    for (const { one, turns } of inTurn) turns.push(await measureTurn(one, stream, receiver, options.perSecond))
    inTurn.reverse()
  }
  const cells = (...texts: ReadonlyArray<string>) => texts.map((text) => text.padStart(14)).join("")
  console.log(
    `\n${options.perSecond} events a second, ${options.turns} turns of ${turnSeconds} s; XADD to request, in ms\n`
  )
  console.log(" ".repeat(22) + cells("p50, median", "ratio, median", "p99, median", "p99, least", "ratio, median"))
  const [first] = all
  for (const { one, turns } of all) {
    const of = (key: keyof Turn) => turns.map((turn) => turn[key])
    const ratio = (key: keyof Turn) =>
      median(turns.map((turn, i) => turn[key] / (first?.turns[i]?.[key] ?? turn[key]))).toFixed(2)
    console.log(
      one.name.padEnd(22) +
        cells(median(of("p50")).toFixed(2), ratio("p50"), median(of("p99")).toFixed(2)) +
        cells(Math.min(...of("p99")).toFixed(2), ratio("p99"))
    )
  }
}
