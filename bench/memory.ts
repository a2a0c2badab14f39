/** `npm run bench -- --memory`: the service's resident memory as events go by: it must not grow with their number. */
import type { Feed } from "./feeds.ts"
import { type Receiver, startVariant } from "./harness.ts"
import type { VariantConfig } from "./protocol.ts"

const STEP = 20_000

export const measureMemory = async (
  script: string,
  config: VariantConfig,
  feed: Feed,
  receiver: Receiver,
  events: number
): Promise<void> => {
  const variant = await startVariant(script, config, feed, receiver)
  const first = Math.min(100_000, events)
  const report = Math.max(STEP, Math.floor(events / 10))
  const rss = new Map<number, number>()
  for (let delivered = STEP; delivered <= events; delivered += STEP) {
    const { rssBytes } = await variant.run(STEP)
    rss.set(delivered, rssBytes / 2 ** 20)
    if (delivered === first || delivered % report === 0) {
      console.log(`${delivered.toString().padStart(9)} events: ${(rssBytes / 2 ** 20).toFixed(0)} MiB`)
    }
  }
  await variant.stop()
  await feed.close()
  const [early, late] = [rss.get(first), [...rss.values()].at(-1)]
  if (early === undefined || late === undefined) throw new Error(`--events must be at least ${STEP}`)
  console.log(`\nRSS after all is ${((late / early) * 100).toFixed(0)} % of that after ${first} events`)
}
