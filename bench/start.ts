/**
 * `npm run bench -- --start`: how long the command takes to start, and what the service costs while it has nothing to do and
 * after much, each beside what it is measured against: an empty Node.js, `effect` alone, a BullMQ worker.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { rolldown } from "rolldown"
import { waitUntil } from "../test/support/redis-server.ts"
import { command, cpuOf, end, root, rssOf, startService } from "./command.ts"
import { bullmqFeed, type Feed, streamFeed } from "./feeds.ts"
import type { Receiver } from "./harness.ts"
import { median } from "./median.ts"
import type { VariantConfig } from "./protocol.ts"

/** The worker as a host would ship it: without types to strip at its start. */
const compiledWorker = async (): Promise<string> => {
  const bundle = await rolldown({ input: `${root}bench/variants/bullmq.ts`, external: /^[^./]/, platform: "node" })
  const file = `${root}dist/bench/bullmq.js`
  await bundle.write({ file })
  await bundle.close()
  return file
}

interface Compared {
  readonly what: string
  readonly unit: string
  readonly ours: number
  readonly against: string
  readonly theirs: number
}

const rowOf = ({ against, ours, theirs, unit, what }: Compared): string =>
  `${what.padEnd(44)}${`${ours.toFixed(1)} ${unit}`.padStart(12)}  ${`${against}: ${theirs.toFixed(1)}`.padEnd(24)}${(ours / theirs).toFixed(2).padStart(6)} ×`

const millisOf = (args: ReadonlyArray<string>): number => {
  const began = performance.now()
  spawnSync(process.execPath, args, { cwd: root })
  return performance.now() - began
}

const imported = (from: string) => ["--input-type=module", "-e", `import ${JSON.stringify(from)}`]

/** Short processes, in turn, so that what else the machine does meets all alike. */
const shortRuns = (runs: number): ReadonlyArray<Compared> => {
  const cases: Record<string, ReadonlyArray<string>> = {
    "node -e 0": ["-e", "0"],
    "--help": [command, "--help"],
    keygen: [command, "keygen"],
    "a wrong flag: dlq list --nope": [command, "dlq", "list", "--nope"],
    "run --help": [command, "run", "--help"],
    effect: imported("effect"),
    "import job-collector": imported("job-collector")
  }
  const taken = new Map(Object.keys(cases).map((name) => [name, [] as Array<number>]))
  // The first of each writes compiled code, and is not counted.
  for (let run = 0; run <= runs; run++)
    for (const [name, args] of Object.entries(cases)) {
      const millis = millisOf(args)
      if (run > 0) taken.get(name)?.push(millis)
    }
  const of = (name: string) => median(taken.get(name) ?? [])
  return Object.keys(cases)
    .filter((name) => name !== "node -e 0" && name !== "effect")
    .map((what) => {
      const against = what.startsWith("import") ? "effect" : "node -e 0"
      return { what, unit: "ms", ours: of(what), against, theirs: of(against) }
    })
}

interface Contestant {
  readonly start: () => ChildProcess
  readonly feed: () => Promise<Feed>
}

/** From the process's start to the API's answer to an event that was there before. */
const firstDelivery = async ({ feed, start }: Contestant, receiver: Receiver): Promise<number> => {
  const fed = await feed()
  await fed.prepare(1)
  await fed.release()
  const answered = receiver.answered(1)
  const began = performance.now()
  const child = start()
  await answered
  const millis = performance.now() - began
  await waitUntil("the event is settled", fed.isSettled, 30_000)
  await end(child)
  await fed.close()
  return millis
}

/** What it takes while nothing happens, and its memory then and after many events. */
const longRun = async ({ feed, start }: Contestant, receiver: Receiver, idleSeconds: number, events: number) => {
  const fed = await feed()
  const child = start()
  const pid = child.pid ?? 0
  const deliver = async (count: number) => {
    await fed.prepare(count)
    const answered = receiver.answered(count)
    await fed.release()
    await answered
    await waitUntil("every event is settled", fed.isSettled, 60_000)
  }
  await deliver(1)
  await sleep(5_000)
  const before = cpuOf(pid)
  await sleep(idleSeconds * 1_000)
  const idleCpu = (cpuOf(pid) - before) / idleSeconds
  const idleRss = rssOf(pid)
  await deliver(events)
  const loadedRss = rssOf(pid)
  await end(child)
  await fed.close()
  return { idleCpu, idleRss, loadedRss }
}

export const measureStart = async (
  config: VariantConfig,
  receiver: Receiver,
  options: { readonly runs: number; readonly idleSeconds: number; readonly events: number }
): Promise<void> => {
  const worker = await compiledWorker()
  const bullmq: Contestant = {
    start: () =>
      spawn(process.execPath, [worker], {
        env: { ...process.env, BENCH_CONFIG: JSON.stringify(config) },
        stdio: ["ignore", "inherit", "inherit"]
      }),
    feed: () => bullmqFeed(config.redisPort, config.group)
  }
  const service: Contestant = {
    start: () => startService(config),
    feed: () => streamFeed(config.redisPort, [config.stream], config.group)
  }
  const rows = [...shortRuns(options.runs)]
  const [ours, theirs]: [Array<number>, Array<number>] = [[], []]
  for (let run = 0; run <= options.runs; run++) {
    const millis = [await firstDelivery(service, receiver), await firstDelivery(bullmq, receiver)] as const
    if (run === 0) continue
    ours.push(millis[0])
    theirs.push(millis[1])
  }
  const against = "BullMQ"
  rows.push({ what: "start to first delivery", unit: "ms", ours: median(ours), against, theirs: median(theirs) })
  const { events, idleSeconds } = options
  const long = [
    await longRun(service, receiver, idleSeconds, events),
    await longRun(bullmq, receiver, idleSeconds, events)
  ] as const
  const compare = (what: string, unit: string, key: keyof (typeof long)[0]) =>
    rows.push({ what, unit, ours: long[0][key], against, theirs: long[1][key] })
  compare(`CPU of a second, idle (${idleSeconds} s)`, "ms", "idleCpu")
  compare("memory, idle", "MB", "idleRss")
  compare(`memory after ${events} events`, "MB", "loadedRss")
  console.log(`medians of ${options.runs} runs\n`)
  for (const row of rows) console.log(rowOf(row))
}
