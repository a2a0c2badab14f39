/** Deliberate mistakes with partitions: what is kept from one, and what one is to blame for. */
import { Clock, Effect } from "effect"
import { HttpClient } from "effect/http"
import type { Bug } from "../simulate.ts"

/** How long everybody waits for a partition that failed, in milliseconds. */
const waitsMs = 5_000

export const partitionBugs: ReadonlyArray<Bug> = [
  {
    name: "share-not-kept",
    rule: "share",
    wrong: "lets a partition have every permit, whoever waits",
    settings: { isolateShare: 1 }
  },
  {
    name: "share-counted-twice",
    rule: "share-withheld",
    wrong: "counts each request of a partition twice: of half of all permits each has a quarter",
    settings: { isolateShare: 0.25 }
  },
  {
    name: "partition-opens-api",
    rule: "api-blamed",
    wrong: "knows no partitions: one that fails opens the API's circuit, and has every permit",
    settings: { isolateBy: [] }
  },
  {
    name: "failure-holds-all-up",
    rule: "held-up",
    wrong: "has every request wait for a while after one that failed",
    overrides: () => {
      let until = Number.NEGATIVE_INFINITY
      const wait = Effect.flatMap(Clock.currentTimeMillis, (now) => (now < until ? Effect.sleep(waitsMs) : Effect.void))
      const note = (status: number) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          if (status >= 500) until = now + waitsMs
        })
      return {
        http: HttpClient.transform((send) =>
          Effect.andThen(
            wait,
            Effect.tap(send, ({ status }) => note(status))
          )
        )
      }
    }
  }
]
