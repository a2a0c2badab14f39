/** Starts the processes of a measurement and asks them. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { waitUntil } from "../test/support/redis-server.ts"
import type { Feed } from "./feeds.ts"
import type { FromReceiver, FromVariant, Memory, ReceiverConfig, Seen, VariantConfig } from "./protocol.ts"

const start = (script: string, env: Record<string, string> = {}): ChildProcess =>
  fork(fileURLToPath(new URL(script, import.meta.url)), {
    env: { ...process.env, ...env },
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })

/** The next message of a child that is of the kind awaited; rejects when the child ends first. */
const next = <M extends { readonly _tag: string }, T extends M["_tag"]>(child: ChildProcess, tag: T) =>
  new Promise<Extract<M, { readonly _tag: T }>>((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a child process ended with ${code} before it was ${tag}`))
    const read = (message: M) => {
      if (message._tag !== tag) return
      child.off("message", read)
      child.off("exit", ended)
      resolve(message as Extract<M, { readonly _tag: T }>)
    }
    child.on("message", read)
    child.once("exit", ended)
  })

export interface Receiver {
  readonly url: string
  /** Resolves when it has answered that many requests more than when asked last. */
  readonly answered: (count: number) => Promise<void>
  readonly seen: () => Promise<Seen>
  readonly stop: () => void
}

export const startReceiver = async (config: ReceiverConfig = {}): Promise<Receiver> => {
  const child = start("receiver.ts", { BENCH_RECEIVER: JSON.stringify(config) })
  const { port } = await next<FromReceiver, "Listening">(child, "Listening")
  let total = 0
  return {
    url: `http://127.0.0.1:${port}`,
    answered: async (count) => {
      const reached = next<FromReceiver, "Reached">(child, "Reached")
      total += count
      child.send(total)
      await reached
    },
    seen: () => {
      const seen = next<FromReceiver, "Seen">(child, "Seen")
      child.send("seen")
      return seen
    },
    stop: () => child.disconnect()
  }
}

export interface Measured {
  readonly cpuMicros: number
  readonly seconds: number
  /** Of the largest, where there are several. */
  readonly rssBytes: number
}

/** One process that delivers, or several replicas that share the work. */
export interface Variant {
  /** Lets events go to the variant and measures it until each is answered and acknowledged. */
  readonly run: (count: number) => Promise<Measured>
  /** Measures it while something else is awaited. */
  readonly during: (awaited: Promise<unknown>) => Promise<Measured>
  /** Of the largest, where there are several. */
  readonly memory: () => Promise<Memory>
  readonly stop: () => Promise<void>
}

export const startVariant = async (
  script: string,
  config: VariantConfig,
  feed: Feed,
  receiver: Receiver,
  replicas = 1
): Promise<Variant> => {
  const children: Array<ChildProcess> = []
  for (let replica = 0; replica < replicas; replica++) {
    const child = start(script, { BENCH_CONFIG: JSON.stringify(config) })
    await next<FromVariant, "Ready">(child, "Ready")
    children.push(child)
  }
  const ask = <T extends FromVariant["_tag"]>(question: string, tag: T) =>
    Promise.all(
      children.map((child) => {
        const answer = next<FromVariant, T>(child, tag)
        child.send(question)
        return answer
      })
    )
  const report = async (began: number, ended?: number): Promise<Measured> => {
    const seconds = ((ended ?? performance.now()) - began) / 1_000
    const reports = await ask("report", "Report")
    const cpuMicros = reports.reduce((sum, report) => sum + report.cpuMicros, 0)
    return { cpuMicros, seconds, rssBytes: Math.max(...reports.map(({ rssBytes }) => rssBytes)) }
  }
  return {
    run: async (count) => {
      await feed.prepare(count)
      await ask("mark", "Marked")
      const answered = receiver.answered(count)
      const began = performance.now()
      await feed.release()
      await answered
      const ended = performance.now()
      await waitUntil("every event is acknowledged", feed.isSettled, 30_000)
      const measured = await report(began, ended)
      await feed.tidy()
      return measured
    },
    during: async (awaited) => {
      await ask("mark", "Marked")
      const began = performance.now()
      await awaited
      return report(began)
    },
    memory: async () => {
      const [first, ...rest] = await ask("memory", "Memory")
      if (first === undefined) throw new Error("there is no process")
      return rest.reduce((most, one) => (one.rssBytes > most.rssBytes ? one : most), first)
    },
    stop: async () => {
      for (const child of children) {
        const ended = new Promise((resolve) => child.once("exit", resolve))
        child.disconnect()
        await ended
      }
    }
  }
}
