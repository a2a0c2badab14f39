/** Events that come one by one at a steady rate, each with the time at which it was sent in its id. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Redis } from "ioredis"
import { eventFields } from "./events.ts"
import { eventIdNow } from "./protocol.ts"

export interface Flow {
  /** How many were sent. */
  readonly sent: () => number
  /** Resolves once the last was written. */
  readonly stop: () => Promise<void>
}

export const startFlow = (redis: Redis, stream: string, perSecond: number, users: number): Flow => {
  let sent = 0
  let isOver = false
  const began = performance.now()
  const send = async () => {
    while (!isOver) {
      const due = Math.floor(((performance.now() - began) / 1_000) * perSecond)
      while (sent < due) {
        const fields = { ...eventFields(sent, Date.now(), users), event_id: eventIdNow(sent) }
        sent += 1
        redis.xadd(stream, "*", ...Object.entries(fields).flat())
      }
      await sleep(1)
    }
    await redis.ping()
  }
  const sending = send()
  return {
    sent: () => sent,
    stop: () => {
      isOver = true
      return sending
    }
  }
}

/** The value below which so much of all lies; 0 of none. */
export const quantile = (values: ReadonlyArray<number>, part: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}
