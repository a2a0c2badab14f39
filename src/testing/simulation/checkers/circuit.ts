/**
 * An outage of the API burns no attempts: once ten failures in a row say that it is one, none is counted, and only probes
 * go out, ever more rarely. A 429 pauses a process for as long as it asks, or the user it was about while others succeed.
 */
import type { SimulatedRequest } from "../../world/http.ts"
import type { Process } from "../../world/process.ts"
import { jsonOf } from "../eventRecords.ts"
import { type Checker, isSuccess, type Scene } from "./checker.ts"

const outageStatuses = new Set([401, 403, 404, 429, 502, 503, 504])
const rejectStatuses = new Set([400, 413, 422])
const rowThreshold = 10

/** Waits before the first probes, in milliseconds; then 60 s. */
const probeWaits = [5_000, 10_000, 20_000, 40_000]
/** What may still go out that was on its way when the circuit opened or a pause began. */
const onItsWayMs = 1_000
/** A probe fetches its entry from Redis before it is sent: by so much two of them may differ. */
const fetchMs = 50
/** Faults that hold up what is on its way for longer. */
const delaying = new Set(["pause", "cut", "redis-away", "lost-replies", "failover", "flush", "skew"])

/** So long ago an event of another user succeeded, in milliseconds: surely of late, surely not. */
const surelyLately = 59_000
const surelyNot = 61_000

interface Pause {
  readonly at: number
  readonly until: number
}

interface Seen {
  /** By user: when an event of theirs last succeeded, and the pause that a 429 asked for. */
  readonly succeeded: Map<string, number>
  readonly told: Map<string, Pause>
  row: number
  /** Milliseconds after the world's start. */
  lastProbe: number
  probes: number
  pausedAt: number
  pausedUntil: number
  /** By the process's own clock. */
  openSince: number | undefined
}

const isPause = (pause: Pause | undefined): pause is Pause => pause !== undefined

const userOf = ({ text }: SimulatedRequest): string => /"user_id":"([^"]*)"/.exec(text)?.[1] ?? ""

export const circuit = ({ records, report, scenario, world }: Scene): Checker => {
  const prompt = !scenario.faults.some(({ kind }) => delaying.has(kind))
  const seen = new WeakMap<Process, Seen>()
  const of = (process: Process): Seen => {
    const known = seen.get(process) ?? {
      succeeded: new Map(),
      told: new Map(),
      row: 0,
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
    const { last_failed_at: failed } = jsonOf(fields, "retry")
    if (openSince === undefined || typeof failed !== "number" || failed <= openSince) return
    report(
      "attempt-burnt",
      `${records.ofCopy(stream, fields)?.record.produced.eventId} by ${process.name} while the circuit is open`
    )
  }

  /** A request that goes out while none should but a probe. */
  const sent = (eventId: string, user: string, process: Process) => {
    const state = of(process)
    const now = world.elapsed
    for (const { at, until } of [{ at: state.pausedAt, until: state.pausedUntil }, state.told.get(user)].filter(
      isPause
    )) {
      if (now > at + onItsWayMs && now < until - 5)
        report("pause-ignored", `${eventId} by ${process.name}, ${until - now} ms before the pause's end`)
    }
    if (state.openSince === undefined || (state.probes === 0 && now < state.lastProbe + onItsWayMs)) return
    const wait = probeWaits[state.probes] ?? 60_000
    if (now - state.lastProbe < wait - fetchMs)
      report("probe-early", `${eventId} by ${process.name}, ${now - state.lastProbe} ms`)
    state.lastProbe = now
    state.probes += 1
  }

  /** Takes in a 429: who waits for it depends on who succeeds; where a second user is told so meanwhile, it is not judged. */
  const told = (state: Seen, user: string, until: number) => {
    const at = world.elapsed
    const others = [...state.succeeded].filter(([other]) => other !== user).map(([, since]) => at - since)
    const latest = Math.min(...others)
    const another = [...state.told].some(([other, pause]) => other !== user && pause.until > at)
    if (latest > surelyNot) {
      state.pausedAt = at
      state.pausedUntil = Math.max(state.pausedUntil, until)
    } else if (latest < surelyLately && !another) {
      state.told.set(user, { at, until: Math.max(until, state.told.get(user)?.until ?? 0) })
    }
  }

  return {
    onSent: ({ process, request }) => {
      const eventId = request.headers["idempotency-key"]
      if (prompt && eventId !== undefined) sent(eventId, userOf(request), process)
    },
    onEnd: ({ process, request }, status, body, headers) => {
      if (request.headers["idempotency-key"] === undefined) return
      const state = of(process)
      const asked = Math.min(300, Number(headers["retry-after"] ?? 0)) * 1_000
      if (status === 429 && asked > 0) told(state, userOf(request), world.elapsed + asked)
      if (isSuccess(status, body)) {
        state.succeeded.set(userOf(request), world.elapsed)
        state.row = 0
        state.openSince = undefined
      } else if (rejectStatuses.has(status) || state.openSince !== undefined) {
        if (state.openSince === undefined) state.row = 0
      } else {
        state.row = status <= 0 || outageStatuses.has(status) ? state.row + 1 : 0
        if (state.row < rowThreshold) return
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
