/** What is true of every event, kept beside the world and from outside of the app: where it stands, what became of it. */
import type { SimulatedRequest } from "../world/http.ts"
import type { RedisNetwork } from "../world/redis.ts"
import type { EventRecord, Round } from "./eventRecord.ts"
import type { Produced, Scenario } from "./scenario.ts"
import { counting, hasEnded, noOutcomes, type Outcomes } from "./tally.ts"

export const place = (stream: string, id: string): string => `${stream} ${id}`

/** The object that a JSON text says; none: an empty one. */
const parsed = (text: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

/** The JSON of a field, or nothing. */
export const jsonOf = (fields: ReadonlyArray<string>, name: string): Readonly<Record<string, unknown>> => {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return parsed(fields[i + 1] ?? "")
  return {}
}

/**
 * How long an event is remembered that was delivered and stands nowhere any more, in milliseconds: longer than anything
 * in a world is held up, so that nobody who works on it is late.
 */
const rememberedMs = 3_600_000

export class EventRecords {
  /** The events that are remembered, in the order in which they were produced. */
  readonly all: Array<EventRecord> = []
  /** Those that stand somewhere, unacknowledged. */
  readonly standing = new Set<EventRecord>()
  private readonly byEvent = new Map<string, EventRecord>()
  private readonly byPlace = new Map<string, Round>()
  /** Those that stand nowhere any more, and since when, in epoch milliseconds; the longest first. */
  private readonly nowhere = new Map<EventRecord, number>()
  /** The rounds of requests, as they were when each was first asked for. */
  private readonly byRequest = new WeakMap<SimulatedRequest, Round>()
  private forgotten = noOutcomes
  private readonly redis: RedisNetwork
  private readonly scenario: Scenario

  constructor(redis: RedisNetwork, scenario: Scenario) {
    this.redis = redis
    this.scenario = scenario
  }

  produced(produced: Produced): void {
    const record: EventRecord = {
      produced,
      rounds: [],
      copies: new Set(),
      abandoned: undefined,
      successes: 0,
      requests: 0,
      lost: undefined
    }
    this.all.push(record)
    this.byEvent.set(produced.eventId, record)
    this.begun(record, produced.stream, produced.entryId)
  }

  /** Notes that an event stands in a source stream, new there: as it was produced, or put back by a replay. */
  begun(record: EventRecord, stream: string, entryId: string): void {
    const round: Round = {
      record,
      stream,
      entryId,
      places: [],
      left: new Set(),
      failures: 0,
      statuses: new Set(),
      notBefore: new Map(),
      body: undefined
    }
    record.rounds.push(round)
    this.stands(round, place(stream, entryId))
  }

  private put(round: Round, at: string): void {
    this.byPlace.set(at, round)
    round.places.push(at)
  }

  private stands(round: Round, at: string): void {
    this.put(round, at)
    round.record.copies.add(at)
    this.standing.add(round.record)
  }

  ofEvent(eventId: string): EventRecord | undefined {
    return this.byEvent.get(eventId)
  }

  /** An event that came with these fields; of several that look the same rather one that was given up. */
  ofFields(fields: ReadonlyArray<string>): EventRecord | undefined {
    const text = JSON.stringify(fields)
    const alike = this.all.filter(({ produced }) => JSON.stringify(produced.fields) === text)
    return alike.find(({ abandoned }) => abandoned !== undefined) ?? alike[0]
  }

  /** The round that an entry of any stream belongs to. */
  at(stream: string, id: string): Round | undefined {
    return this.byPlace.get(place(stream, id))
  }

  /** The last round of the event that an entry of the DLQ or the abandoned stream says it is of. */
  ofCopy(stream: string, fields: ReadonlyArray<string>): Round | undefined {
    const about = jsonOf(fields, stream === this.scenario.streams.dlq ? "retry" : "abandoned")
    return this.byPlace.get(place(String(about.origin_stream), String(about.origin_id)))?.record.rounds.at(-1)
  }

  /** The round that a request is made in; undefined where nobody made its event, or it names another source than the event's own. */
  ofRequest(request: SimulatedRequest): Round | undefined {
    const known = this.byRequest.get(request)
    if (known !== undefined) return known
    const record = this.byEvent.get(request.headers["idempotency-key"] ?? "")
    if (record === undefined) return undefined
    const { produced, rounds } = record
    const { source }: { source?: { stream?: unknown; id?: unknown } } = parsed(request.text)
    if (source?.stream !== produced.stream || source.id !== produced.entryId) return undefined
    // Who was late may still work on a round that is over for others.
    const before = Number(request.headers["x-delivery-attempt"]) - 1
    // An earlier one that was set aside before its first attempt says nothing of a later one's.
    const begun = before === 0 ? undefined : rounds.findLast(({ notBefore }) => notBefore.has(before))
    const round = begun ?? rounds.at(-1)
    if (round !== undefined) this.byRequest.set(request, round)
    return round
  }

  /** Notes a copy of an event in the DLQ or the abandoned stream. */
  copied(round: Round, stream: string, id: string, fields: ReadonlyArray<string>): void {
    const at = place(stream, id)
    if (stream === this.scenario.streams.abandoned) {
      this.put(round, at)
      const { attempts, reason } = jsonOf(fields, "abandoned")
      round.record.abandoned = { at, reason: String(reason), attempts: Number(attempts) }
    } else this.stands(round, at)
  }

  /** Notes that an entry was acknowledged. */
  acknowledged(stream: string, id: string): void {
    const round = this.at(stream, id)
    const at = place(stream, id)
    if (round?.record.copies.delete(at) !== true) return
    round.left.add(at)
    if (round.record.copies.size === 0) this.vanished(round.record)
  }

  /** Notes that an entry is no longer in the abandoned stream. */
  unabandoned(stream: string, id: string): void {
    const record = this.at(stream, id)?.record
    if (record?.abandoned?.at === place(stream, id)) record.abandoned = undefined
  }

  /** Whether nothing more has to happen to an event. */
  ended(record: EventRecord): boolean {
    return hasEnded(record)
  }

  private vanished(record: EventRecord): void {
    this.standing.delete(record)
    this.nowhere.delete(record)
    this.nowhere.set(record, this.redis.kernel.millis)
  }

  /**
   * Forgets the events that were delivered long ago and stand nowhere, and returns them. One that was abandoned still
   * stands, in the abandoned stream; one that Redis lost is not over for certain.
   */
  forget(): ReadonlyArray<EventRecord> {
    const over: Array<EventRecord> = []
    const before = this.redis.kernel.millis - rememberedMs
    for (const [record, since] of this.nowhere) {
      if (since > before) break
      this.nowhere.delete(record)
      if (
        record.successes > 0 &&
        record.copies.size === 0 &&
        record.abandoned === undefined &&
        record.lost === undefined
      ) {
        over.push(record)
      }
    }
    for (const record of over) {
      this.forgotten = counting(this.forgotten, record)
      this.byEvent.delete(record.produced.eventId)
      for (const { places } of record.rounds) for (const at of places) this.byPlace.delete(at)
      this.all.splice(this.all.indexOf(record), 1)
    }
    return over
  }

  /** What became of all events, those that are forgotten included. */
  get outcomes(): Outcomes {
    return this.all.reduce(counting, this.forgotten)
  }

  /** How many events there were. */
  get count(): number {
    return this.forgotten.produced + this.all.length
  }

  /** Looks at the streams anew after Redis lost something: what is nowhere any more, and not done, was lost by it. */
  survey(cause: string): void {
    const { abandoned, dlq, process, transcribe } = this.scenario.streams
    for (const record of this.all) {
      record.copies.clear()
      record.abandoned = undefined
    }
    for (const stream of [transcribe, process, dlq]) {
      const unread = this.lastDelivered(stream)
      const pending = new Set(this.pending(stream))
      for (const [id] of this.entries(stream)) {
        const round = this.at(stream, id)
        const at = place(stream, id)
        // Without its group nobody knows that it was read, and the group starts again at the last id that was.
        const isToCome = unread === undefined ? round?.left.has(at) === false : pending.has(id) || isAfter(id, unread)
        if (isToCome) round?.record.copies.add(at)
      }
    }
    for (const [id, fields] of this.entries(abandoned)) {
      const round = this.at(abandoned, id) ?? this.ofCopy(abandoned, fields)
      if (round !== undefined) this.copied(round, abandoned, id, fields)
    }
    this.standing.clear()
    for (const record of this.all) {
      if (record.copies.size > 0) {
        record.lost = undefined
        this.standing.add(record)
      } else {
        if (!this.ended(record)) record.lost = cause
        if (!this.nowhere.has(record)) this.vanished(record)
      }
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
