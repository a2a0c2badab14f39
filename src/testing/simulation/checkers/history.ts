/** Each entry tells of the attempts made so far: those that were seen from outside, each once, and no other. */
import type { EventRecord, Round } from "../eventRecord.ts"
import { jsonOf, place } from "../eventRecords.ts"
import type { StreamEvent } from "../streamEvents.ts"
import { type Checker, isSuccess, type Scene } from "./checker.ts"

/** An attempt that a process saw fail, by its own clock as that stood at the end. */
interface Seen {
  readonly at: number
  readonly durationMs: number
  /** 0 or less: no answer came. */
  readonly status: number
}

type Told = ReadonlyArray<Readonly<Record<string, unknown>>>

/** How far an instant may lie beside what was seen. */
const leewayMs = 5

const listed = (value: unknown): Told => (Array.isArray(value) ? value : [])

/** The history of an entry, and what was before its replay; written out here, not taken from the code. */
const toldBy = (fields: ReadonlyArray<string>): { readonly history: Told; readonly replayed: Told } => {
  const { history, replayed } = jsonOf(fields, "retry")
  return fields[0] === "retry"
    ? { history: listed(history), replayed: listed(replayed) }
    : { history: listed(jsonOf(fields, "history")), replayed: listed(jsonOf(fields, "replayed")) }
}

export const history = ({ records, report, scenario, world }: Scene): Checker => {
  const { abandoned, dlq } = scenario.streams
  const sentAt = new WeakMap<object, number>()
  const seen = new WeakMap<EventRecord, Array<Seen>>()
  /** All attempts that an abandoned entry tells of, by its place: what a replay of it has to hand on. */
  const told = new Map<string, Told>()
  const handedOn = new WeakMap<Round, Told>()

  const wasSeen = (among: Array<Seen>, attempt: Readonly<Record<string, unknown>>): boolean => {
    const found = among.findIndex(
      ({ at, durationMs, status }) =>
        Math.abs(at - Number(attempt.at)) <= leewayMs &&
        Math.abs(durationMs - Number(attempt.duration_ms)) <= leewayMs &&
        (attempt.status === null ? status <= 0 : attempt.status === status)
    )
    // Each counts once.
    if (found >= 0) among.splice(found, 1)
    return found >= 0
  }

  const moved = ({ fields, newId, to }: Extract<StreamEvent, { readonly _tag: "Moved" }>) => {
    const round = records.at(to, newId)
    if (round === undefined || round.record.produced.nature === "garbled") return
    const { eventId } = round.record.produced
    const { history, replayed } = toldBy(fields)
    const attempts = Number(to === dlq ? jsonOf(fields, "retry").attempt : jsonOf(fields, "abandoned").attempts)
    if (history.length !== attempts) report("history", `${eventId}: ${attempts} attempts, ${history.length} told of`)
    const unmatched = [...(seen.get(round.record) ?? [])]
    for (const attempt of history) {
      if (wasSeen(unmatched, attempt)) continue
      report("history", `${eventId}: ${JSON.stringify(attempt)} is not among ${JSON.stringify(seen.get(round.record))}`)
    }
    const before = handedOn.get(round) ?? []
    if (JSON.stringify(replayed) !== JSON.stringify(before)) {
      report("history", `${eventId}: ${replayed.length} attempts before its replay, ${before.length} handed on`)
    }
    if (to === abandoned) told.set(place(to, newId), [...replayed, ...history].slice(-16))
  }

  return {
    onSent: (exchange) => {
      sentAt.set(exchange, world.elapsed)
    },
    onEnd: (exchange, status, body) => {
      const record = isSuccess(status, body) ? undefined : records.ofRequest(exchange.request)?.record
      if (record === undefined) return
      const durationMs = world.elapsed - (sentAt.get(exchange) ?? world.elapsed)
      const attempt = { at: exchange.process.now - durationMs, durationMs, status }
      const known = seen.get(record)
      if (known === undefined) seen.set(record, [attempt])
      else known.push(attempt)
    },
    onRecords: (streamEvent) => {
      if (streamEvent._tag === "Moved") moved(streamEvent)
      else if (streamEvent._tag === "Replayed") {
        const round = records.at(streamEvent.to, streamEvent.newId)
        const from = place(streamEvent.from, streamEvent.id)
        if (round !== undefined) handedOn.set(round, told.get(from) ?? [])
        told.delete(from)
      }
    }
  }
}
