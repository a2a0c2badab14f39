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
  readonly keepsOutcomes: boolean
}

export type ToVariant = "mark" | "report"

export type FromVariant =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Marked" }
  | {
      readonly _tag: "Report"
      /** User and system time since the mark, in microseconds. */
      readonly cpuMicros: number
      readonly rssBytes: number
    }

/** The number of requests after which the receiver is to say so. */
export type ToReceiver = number

export type FromReceiver = { readonly _tag: "Listening"; readonly port: number } | { readonly _tag: "Reached" }

/** The whole of a variant's process but its work: says it is ready, measures itself when asked. */
export const runVariant = async (start: (config: VariantConfig) => Promise<void>): Promise<void> => {
  const say = (message: FromVariant) => process.send?.(message)
  let mark = process.cpuUsage()
  process.on("message", (message: ToVariant) => {
    if (message === "mark") {
      mark = process.cpuUsage()
      say({ _tag: "Marked" })
    } else {
      const { user, system } = process.cpuUsage(mark)
      say({ _tag: "Report", cpuMicros: user + system, rssBytes: process.memoryUsage.rss() })
    }
  })
  process.on("disconnect", () => process.exit(0))
  await start(JSON.parse(process.env.BENCH_CONFIG ?? "{}"))
  say({ _tag: "Ready" })
}
