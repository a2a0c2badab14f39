/**
 * An outage of the API burns no attempts: once ten failures in a row say that it is one, none is counted, and only probes
 * go out, ever more rarely. A 429 pauses a process for as long as it asks, or the partition it was about while others succeed.
 */
import type { Process } from "../../world/process.ts"
import { jsonOf } from "../eventRecords.ts"
import { type Checker, isPrompt, isSuccess, type Scene } from "./checker.ts"
import { Successes } from "./successes.ts"

const outageStatuses = new Set([401, 403, 404, 429, 502, 503, 504])
const rejectStatuses = new Set([400, 413, 422])
const rowThreshold = 10

/** Waits before the first probes, in milliseconds; then 60 s. */
const probeWaits = [5_000, 10_000, 20_000, 40_000]
/** What may still go out that was on its way when the circuit opened or a pause began. */
const onItsWayMs = 1_000
/** A probe fetches its entry from Redis before it is sent: by so much two of them may differ. */
const fetchMs = 50

interface Seen {
  row: number
  /** For each field of the isolation the values that the row's failures were of. */
  readonly values: ReadonlyArray<Set<string | undefined>>
  /** Failures of each partition since its last success, by field and value. */
  readonly failures: Map<string, number>
  /** A partition may be to blame: until the next success it cannot be told from outside whose circuit is open. */
  blurred: boolean
  /** Milliseconds after the world's start. */
  lastProbe: number
  probes: number
  pausedAt: number
  pausedUntil: number
  /** By all of an event's partitions: what such an event was told last. */
  readonly told: Map<string, { readonly at: number; readonly until: number }>
  /** By the process's own clock. */
  openSince: number | undefined
}

export const circuit = ({ closedAt, records, report, scenario, world }: Scene): Checker => {
  const { isolateBy } = scenario.settings
  const successes = new Successes(scenario)
  const partitionsOf = (eventId: string): ReadonlyArray<string | undefined> => {
    const values = records.ofEvent(eventId)?.produced.values
    return isolateBy.map((field) => values?.[field])
  }
  const prompt = isPrompt(scenario)
  const seen = new WeakMap<Process, Seen>()
  const of = (process: Process): Seen => {
    const known = seen.get(process) ?? {
      row: 0,
      values: isolateBy.map(() => new Set<string | undefined>()),
      failures: new Map<string, number>(),
      blurred: false,
      told: new Map<string, { readonly at: number; readonly until: number }>(),
      openSince: undefined,
      lastProbe: 0,
      probes: 0,
      pausedAt: 0,
      pausedUntil: 0
    }
    seen.set(process, known)
    return known
  }

  const burnt = (stream: string, fields: ReadonlyArray<string>, process: Process | undefined) => {
    if (process === undefined) return
    const { openSince } = of(process)
    const { last_failed_at: failed, set_aside: setAside } = jsonOf(fields, "retry")
    // What was set aside was not attempted: of one that never failed its time is the present.
    if (openSince === undefined || setAside !== undefined || typeof failed !== "number" || failed <= openSince) return
    report(
      "attempt-burnt",
      `${records.ofCopy(stream, fields)?.record.produced.eventId} by ${process.name} while the circuit is open`
    )
  }

  /** A request that goes out while none should but a probe. */
  const sent = (eventId: string, process: Process) => {
    const state = of(process)
    const now = world.elapsed
    const own = isolateBy.length === 0 ? undefined : state.told.get(partitionsOf(eventId).join())
    for (const { at, until } of [
      { at: state.pausedAt, until: state.pausedUntil },
      ...(own === undefined ? [] : [own])
    ]) {
      if (now <= at + onItsWayMs || now >= until - 5) continue
      report("pause-ignored", `${eventId} by ${process.name}, ${until - now} ms before the pause's end`)
    }
    if (state.openSince === undefined || (state.probes === 0 && now < state.lastProbe + onItsWayMs)) return
    const wait = probeWaits[state.probes] ?? 60_000
    if (now - state.lastProbe < wait - fetchMs)
      report("probe-early", `${eventId} by ${process.name}, ${now - state.lastProbe} ms`)
    state.lastProbe = now
    state.probes += 1
  }

  const begins = (state: Seen) => {
    state.row = 0
    for (const values of state.values) values.clear()
  }

  /** Counts a failure against its partitions: the circuit of one that had as many may be open. */
  const blames = (state: Seen, partitions: ReadonlyArray<string | undefined>) => {
    for (const [field, value] of partitions.entries()) {
      const failures = (state.failures.get(`${field} ${value}`) ?? 0) + 1
      state.failures.set(`${field} ${value}`, failures)
      if (failures >= rowThreshold) state.blurred = true
    }
  }

  /** A 429 pauses the event's narrowest partition while others succeed, or what it shares with another; else everything. */
  const paused = (process: Process, partitions: ReadonlyArray<string | undefined>, asked: number) => {
    const state = of(process)
    const now = world.elapsed
    const told = state.told.get(partitions.join())
    state.told.set(partitions.join(), { at: now, until: Math.max(told?.until ?? 0, now + asked) })
    if (!successes.none(process, now)) return
    state.pausedAt = now
    state.pausedUntil = Math.max(state.pausedUntil, now + asked)
  }

  return {
    onSent: ({ process, request }) => {
      const eventId = request.headers["idempotency-key"]
      if (prompt && eventId !== undefined) sent(eventId, process)
    },
    onEnd: ({ process, request }, status, body, headers) => {
      const eventId = request.headers["idempotency-key"]
      if (eventId === undefined) return
      const state = of(process)
      const asked = Math.min(300, Number(headers["retry-after"] ?? 0)) * 1_000
      const partitions = partitionsOf(eventId)
      if (status === 429 && asked > 0) paused(process, partitions, asked)
      if (isSuccess(status, body)) {
        successes.note(process, world.elapsed)
        begins(state)
        state.blurred = false
        if (state.openSince !== undefined) closedAt.set(process, world.elapsed)
        state.openSince = undefined
        for (const [field, value] of partitions.entries()) state.failures.delete(`${field} ${value}`)
      } else if (rejectStatuses.has(status) || state.openSince !== undefined) {
        if (state.openSince === undefined) begins(state)
      } else {
        blames(state, partitions)
        if (status <= 0 || outageStatuses.has(status)) state.row += 1
        else begins(state)
        for (const [field, values] of state.values.entries()) values.add(partitions[field])
        if (state.row < rowThreshold) return
        // All of one partition: it may be that one's fault.
        if (state.values.some(({ size }) => size < 2)) state.blurred = true
        if (state.blurred) return
        state.openSince = process.now
        state.lastProbe = world.elapsed
        state.probes = 0
      }
    },
    onRecords: (streamEvent, process) => {
      if (streamEvent._tag === "Moved" && streamEvent.to === scenario.streams.dlq)
        burnt(streamEvent.to, streamEvent.fields, process)
    }
  }
}
