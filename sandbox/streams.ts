import { Redis } from "ioredis"

/** The collector's keys at their default names. */
const streams = {
  transcribe: "modelsgateway:events:transcribe",
  process: "modelsgateway:events:process",
  dlq: "modelsgateway:events:dlq",
  abandoned: "modelsgateway:events:abandoned"
} as const
const group = "job-collector-group"

/** Where the collector stands in its streams. */
export interface Backlog {
  /** Entries not read yet, of all streams. */
  readonly lag: number
  /** Entries read and not ended yet. */
  readonly pending: number
  /** Entries that wait in the DLQ. */
  readonly dlq: number
  readonly abandoned: number
  /** Retries scheduled so far, by all collectors there were: entries ever added to the DLQ. */
  readonly retries: number
}

/** An event as it stands in a source stream or in the abandoned stream. */
export interface StoredEvent {
  readonly eventId: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface ProducedEntries extends StoredEvent {
  readonly entries: number
}

export interface AbandonedEvent extends StoredEvent {
  readonly reason: string
  readonly errorMessage: string
}

type Entry = readonly [id: string, fields: ReadonlyArray<string>]

const objectOf = (flat: ReadonlyArray<string>): Record<string, string> => {
  const object: Record<string, string> = {}
  for (let i = 0; i + 1 < flat.length; i += 2) object[flat[i]!] = flat[i + 1]!
  return object
}

const eventIn = (fields: Readonly<Record<string, string>>): StoredEvent => {
  const values = fields.data === undefined ? fields : (JSON.parse(fields.data) as Record<string, unknown>)
  return { eventId: String(values.event_id), fields: values }
}

/** Looks at the streams from outside, as an operator would with redis-cli. */
export class Streams {
  private readonly client: Redis

  constructor(url: string) {
    this.client = new Redis(url, { maxRetriesPerRequest: null })
    // A lost connection is made again; who waits for a reply goes on waiting.
    this.client.on("error", () => undefined)
  }

  close(): void {
    this.client.disconnect()
  }

  async answers(): Promise<boolean> {
    return (await this.client.ping()) === "PONG"
  }

  /** Whether the collector has created its groups. */
  async hasGroups(): Promise<boolean> {
    const groups = await Promise.all(
      [streams.transcribe, streams.process, streams.dlq].map((key) =>
        this.client.call("XINFO", "GROUPS", key).then(
          (reply) => (reply as ReadonlyArray<unknown>).length > 0,
          () => false
        )
      )
    )
    return groups.every((exists) => exists)
  }

  async backlog(): Promise<Backlog> {
    const counts = await Promise.all(
      [streams.transcribe, streams.process, streams.dlq].map(async (key) => {
        const groups = (await this.client.call("XINFO", "GROUPS", key)) as ReadonlyArray<ReadonlyArray<unknown>>
        const flat = groups.find((one) => one[1] === group) ?? []
        const value = (name: string) => Number(flat[flat.indexOf(name) + 1] ?? 0)
        return { lag: value("lag"), pending: value("pending") }
      })
    )
    const sum = (name: "lag" | "pending") => counts.reduce((n, one) => n + one[name], 0)
    return {
      lag: sum("lag"),
      pending: sum("pending"),
      dlq: await this.client.xlen(streams.dlq),
      abandoned: await this.client.xlen(streams.abandoned),
      retries: await this.everAdded(streams.dlq)
    }
  }

  private async everAdded(key: string): Promise<number> {
    const flat = (await this.client.call("XINFO", "STREAM", key)) as ReadonlyArray<unknown>
    return Number(flat[flat.indexOf("entries-added") + 1])
  }

  private async *entries(key: string): AsyncGenerator<Record<string, string>> {
    let from = "-"
    for (;;) {
      const page = (await this.client.call("XRANGE", key, from, "+", "COUNT", "1000")) as ReadonlyArray<Entry>
      for (const [, fields] of page) yield objectOf(fields)
      const last = page.at(-1)
      if (last === undefined || page.length < 1_000) return
      from = `(${last[0]}`
    }
  }

  /** Every event that was ever added to the source streams, by its id, with the number of its entries. */
  async produced(): Promise<ReadonlyMap<string, ProducedEntries>> {
    const events = new Map<string, ProducedEntries>()
    for (const key of [streams.transcribe, streams.process]) {
      for await (const fields of this.entries(key)) {
        const event = eventIn(fields)
        events.set(event.eventId, { ...event, entries: (events.get(event.eventId)?.entries ?? 0) + 1 })
      }
    }
    return events
  }

  async abandonedEvents(): Promise<ReadonlyArray<AbandonedEvent>> {
    const events: Array<AbandonedEvent> = []
    for await (const fields of this.entries(streams.abandoned)) {
      const about = JSON.parse(fields.abandoned ?? "{}") as { reason?: string; error_message?: string }
      const event = eventIn(JSON.parse(fields.event ?? "{}") as Record<string, string>)
      events.push({ ...event, reason: about.reason ?? "?", errorMessage: about.error_message ?? "" })
    }
    return events
  }
}
