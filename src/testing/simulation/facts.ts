/** What is true of every event, kept beside the world and from outside of the app: where it stands, what became of it. */
import type { RedisNetwork } from "../world/redis.ts"
import type { Scenario } from "./scenario.ts"
import type { Produced } from "./workload.ts"

/** The last word a DLQ entry had on its event. */
export interface RetryNote {
  readonly attempt: number
  readonly notBefore: number
}

export interface Fact {
  readonly produced: Produced
  /** `<stream> <id>` of every place where it stands and is not acknowledged. */
  readonly copies: Set<string>
  /** The abandoned entry's reason and attempts. */
  abandoned: { readonly reason: string; readonly attempts: number } | undefined
  /** Answers of success that a collector has received. */
  successes: number
  /** Failed attempts that a collector has seen. */
  failures: number
  /** Statuses seen. */
  readonly statuses: Set<number>
  /** Requests sent for it. */
  requests: number
  /** By the attempts made so far: the earliest time its next was ever set for. */
  readonly notBefore: Map<number, number>
  /** What of Redis's own doing it was lost to. */
  lost: string | undefined
  /** The body of its first request. */
  body: string | undefined
}

export const place = (stream: string, id: string): string => `${stream} ${id}`

/** The JSON of a field, or nothing. */
export const jsonOf = (fields: ReadonlyArray<string>, name: string): Readonly<Record<string, unknown>> => {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] !== name) continue
    try {
      const value: unknown = JSON.parse(fields[i + 1] ?? "")
      return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
    } catch {
      return {}
    }
  }
  return {}
}

export class Facts {
  readonly all: Array<Fact> = []
  /** Those that stand somewhere, unacknowledged. */
  readonly standing = new Set<Fact>()
  private readonly byEvent = new Map<string, Fact>()
  private readonly byPlace = new Map<string, Fact>()
  private readonly redis: RedisNetwork
  private readonly scenario: Scenario

  constructor(redis: RedisNetwork, scenario: Scenario) {
    this.redis = redis
    this.scenario = scenario
  }

  produced(produced: Produced): void {
    const at = place(produced.stream, produced.entryId)
    const fact: Fact = {
      produced,
      copies: new Set([at]),
      abandoned: undefined,
      successes: 0,
      failures: 0,
      statuses: new Set(),
      requests: 0,
      notBefore: new Map(),
      lost: undefined,
      body: undefined
    }
    this.all.push(fact)
    this.standing.add(fact)
    this.byEvent.set(produced.eventId, fact)
    this.byPlace.set(at, fact)
  }

  ofEvent(eventId: string): Fact | undefined {
    return this.byEvent.get(eventId)
  }

  at(stream: string, id: string): Fact | undefined {
    return this.byPlace.get(place(stream, id))
  }

  /** The event that an entry of the DLQ or the abandoned stream says it carries on. */
  ofCopy(stream: string, fields: ReadonlyArray<string>): Fact | undefined {
    const about = jsonOf(fields, stream === this.scenario.streams.dlq ? "retry" : "abandoned")
    return this.byPlace.get(place(String(about.origin_stream), String(about.origin_id)))
  }

  /** Notes a copy of an event. */
  copied(fact: Fact, stream: string, id: string, fields: ReadonlyArray<string>): void {
    const at = place(stream, id)
    this.byPlace.set(at, fact)
    if (stream === this.scenario.streams.abandoned) {
      const { attempts, reason } = jsonOf(fields, "abandoned")
      fact.abandoned = { reason: String(reason), attempts: Number(attempts) }
    } else {
      fact.copies.add(at)
      this.standing.add(fact)
    }
  }

  /** Notes that an entry was acknowledged. */
  acknowledged(stream: string, id: string): void {
    const fact = this.at(stream, id)
    if (fact?.copies.delete(place(stream, id)) === true && fact.copies.size === 0) this.standing.delete(fact)
  }

  /** Whether nothing more has to happen to an event. */
  ended(fact: Fact): boolean {
    return fact.successes > 0 || fact.abandoned !== undefined || fact.lost !== undefined
  }

  /** Looks at the streams anew after Redis lost something: what is nowhere any more, and not done, was lost by it. */
  survey(cause: string): void {
    const { abandoned, dlq, process, transcribe } = this.scenario.streams
    for (const fact of this.all) {
      fact.copies.clear()
      fact.abandoned = undefined
    }
    for (const stream of [transcribe, process, dlq]) {
      const unread = this.lastDelivered(stream)
      const pending = new Set(this.pending(stream))
      for (const [id] of this.entries(stream)) {
        if (unread === undefined || pending.has(id) || isAfter(id, unread))
          this.at(stream, id)?.copies.add(place(stream, id))
      }
    }
    for (const [id, fields] of this.entries(abandoned)) {
      const fact = this.ofCopy(abandoned, fields) ?? this.at(abandoned, id)
      if (fact !== undefined) this.copied(fact, abandoned, id, fields)
    }
    this.standing.clear()
    for (const fact of this.all) {
      if (fact.copies.size > 0) {
        fact.lost = undefined
        this.standing.add(fact)
      } else if (!this.ended(fact)) fact.lost = cause
    }
  }

  /** A stream's entries, oldest first. */
  entries(stream: string, most = 1_000_000): ReadonlyArray<readonly [string, ReadonlyArray<string>]> {
    const found = this.redis.look("XRANGE", stream, "-", "+", "COUNT", String(most))
    return Array.isArray(found) ? found : []
  }

  private pending(stream: string): ReadonlyArray<string> {
    const found = this.redis.look("XPENDING", stream, "job-collector-group", "-", "+", "1000000")
    return Array.isArray(found) ? found.map(([id]) => String(id)) : []
  }

  /** The last id the group was given; undefined where there is no group. */
  private lastDelivered(stream: string): string | undefined {
    const found = this.redis.look("XINFO", "GROUPS", stream)
    const group: unknown = Array.isArray(found) ? found[0] : undefined
    return Array.isArray(group) ? String(group[group.indexOf("last-delivered-id") + 1]) : undefined
  }
}

/** Whether one id of a stream comes after another. */
export const isAfter = (id: string, other: string): boolean => {
  const [ms = 0, seq = 0] = id.split("-").map(Number)
  const [otherMs = 0, otherSeq = 0] = other.split("-").map(Number)
  return ms !== otherMs ? ms > otherMs : seq > otherSeq
}
