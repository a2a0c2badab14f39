/** What the harness and its child processes say to each other, as messages of Node's own channel. */

/** What a variant is told when it starts. */
export interface VariantConfig {
  readonly redisPort: number
  readonly apiUrl: string
  readonly stream: string
  readonly group: string
  readonly concurrency: number
  /** 32 bytes as hex, made for this run. */
  readonly privateKey: string
  /** Whether the service keeps outcomes (`OUTCOME_RETENTION`). */
  readonly keepsOutcomes?: boolean
  /** Whether the service isolates nothing (`ISOLATE_BY=none`). */
  readonly isolatesNothing?: boolean
  /** How many kinds of a host app's own the service reads; none: its own two. */
  readonly kinds?: number
}

/** The stream of a host app's own kind. */
export const kindStream = (n: number): string => `bench:events:kind-${n}`

export type ToVariant = "mark" | "report" | "memory"

export type FromVariant =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Marked" }
  | {
      readonly _tag: "Report"
      /** User and system time since the mark, in microseconds. */
      readonly cpuMicros: number
      readonly rssBytes: number
    }
  | ({ readonly _tag: "Memory" } & Memory)

/** What stays when the garbage is out. */
export interface Memory {
  readonly rssBytes: number
  readonly heapBytes: number
}

/** How the receiver answers. */
export interface ReceiverConfig {
  readonly delayMs?: number
  /** Whether it answers no more requests than it was asked to count. */
  readonly holdsBack?: boolean
  /** Whether it looks at idempotency keys: at how often each came, and at when its event was sent. */
  readonly watches?: boolean
}

/** The number of requests after which the receiver is to say so; or what it has seen. */
export type ToReceiver = number | "seen"

export interface Seen {
  readonly requests: number
  /** Requests with an idempotency key that had come before. */
  readonly repeated: number
  /** From an event's sending to its request, in microseconds, of those that came since this was asked last. */
  readonly latencies: ReadonlyArray<number>
}

export type FromReceiver =
  | { readonly _tag: "Listening"; readonly port: number }
  | { readonly _tag: "Reached" }
  | ({ readonly _tag: "Seen" } & Seen)

/** The same clock in every process. */
export const nowMicros = (): number => Number(process.hrtime.bigint() / 1_000n)

const sent = "sent-"
/** The id of an event that is sent now. */
export const eventIdNow = (n: number): string => `${sent}${nowMicros()}-${n}`
export const sentAtOf = (eventId: string): number | undefined =>
  eventId.startsWith(sent) ? Number(eventId.slice(sent.length).split("-", 1)[0]) : undefined

/** The whole of a variant's process but its work: says it is ready, measures itself when asked. */
export const runVariant = async (start: (config: VariantConfig) => Promise<void>): Promise<void> => {
  const say = (message: FromVariant) => process.send?.(message)
  let mark = process.cpuUsage()
  process.on("message", (message: ToVariant) => {
    if (message === "mark") {
      mark = process.cpuUsage()
      say({ _tag: "Marked" })
    } else if (message === "memory") {
      // The second collects what only finalisers kept.
      for (let times = 0; times < 2; times++) globalThis.gc?.()
      const { external, heapUsed, rss } = process.memoryUsage()
      say({ _tag: "Memory", rssBytes: rss, heapBytes: heapUsed + external })
    } else {
      const { user, system } = process.cpuUsage(mark)
      say({ _tag: "Report", cpuMicros: user + system, rssBytes: process.memoryUsage.rss() })
    }
  })
  process.on("disconnect", () => process.exit(0))
  await start(JSON.parse(process.env.BENCH_CONFIG ?? "{}"))
  say({ _tag: "Ready" })
}
