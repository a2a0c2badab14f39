/** Starts the processes of a measurement and asks them. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { waitUntil } from "../test/support/redis-server.ts"
import type { Feed } from "./feeds.ts"
import type { FromReceiver, FromVariant, VariantConfig } from "./protocol.ts"

const start = (script: string, env: Record<string, string> = {}): ChildProcess =>
  fork(fileURLToPath(new URL(script, import.meta.url)), {
    env: { ...process.env, ...env },
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
  readonly stop: () => void
}

export const startReceiver = async (): Promise<Receiver> => {
  const child = start("receiver.ts")
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
    stop: () => child.disconnect()
  }
}

export interface Measured {
  readonly cpuMicros: number
  readonly seconds: number
  readonly rssBytes: number
}

export interface Variant {
  /** Lets events go to the variant and measures it until each is answered and acknowledged. */
  readonly run: (count: number) => Promise<Measured>
  readonly stop: () => Promise<void>
}

export const startVariant = async (
  script: string,
  config: VariantConfig,
  feed: Feed,
  receiver: Receiver
): Promise<Variant> => {
  const child = start(script, { BENCH_CONFIG: JSON.stringify(config) })
  await next<FromVariant, "Ready">(child, "Ready")
  const ask = <T extends FromVariant["_tag"]>(question: string, tag: T) => {
    const answer = next<FromVariant, T>(child, tag)
    child.send(question)
    return answer
  }
  return {
    run: async (count) => {
      await feed.prepare(count)
      await ask("mark", "Marked")
      const answered = receiver.answered(count)
      const began = performance.now()
      await feed.release(count)
      await answered
      const seconds = (performance.now() - began) / 1_000
      await waitUntil("every event is acknowledged", feed.isSettled, 30_000)
      const { cpuMicros, rssBytes } = await ask("report", "Report")
      await feed.tidy()
      return { cpuMicros, seconds, rssBytes }
    },
    stop: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.disconnect()
      await ended
    }
  }
}
