/**
 * A rate holds over all replicas together, and where deliveries begin again they do so gently: after a start, a pause that a 429
 * asked for or an operator lifted, and when the circuit closes.
 */
import { Result } from "effect"
import { defaultOptions } from "../../../domain/options/options.ts"
import { rulesOf } from "../../../domain/traffic/rules.ts"
import { rulesKey } from "../../../services/EventStreams.ts"
import { scriptName } from "../../../services/Scripts.ts"
import type { SimulatedRequest } from "../../world/http.ts"
import type { Process } from "../../world/process.ts"
import { type Checker, isPrompt, isSuccess, type Scene } from "./checker.ts"

/** Over how long requests are counted against the rate, in milliseconds. */
const windowMs = 10_000
/** How many requests more than the rate says are none too many, for each process of the window. */
const unspent = 10

/** How many may be in flight in the first, second, third and fourth second after a pause; then all may be. */
const steps = [4, 8, 16, 32]
/** A request's permit may be older than a step by what reading its entry took, in milliseconds. */
const onItsWayMs = 50

/** Every replica knows of a pause that has stood for so long, in milliseconds. */
const knownAfterMs = 2_000

/** Who had a success so lately may pause but one user, whose end begins no ramp, in milliseconds. */
const latelyMs = 61_000

interface Flight {
  count: number
  /** When its ramp began or will begin, in milliseconds after the world's start. */
  rampAt: number
  /** When it was sent the last `Retry-After` that surely paused everything, by its end. */
  pausedUntil: number
  /** When it last heard of a success. */
  succeededAt: number
}

const isDelivery = ({ headers }: SimulatedRequest): boolean => headers["idempotency-key"] !== undefined

export const traffic = ({ closedAt, report, scenario, world }: Scene): Checker => {
  const key = rulesKey(scenario.streams.transcribe, defaultOptions.consumerGroup)
  const prompt = isPrompt(scenario)
  /** The last pause of an operator, in milliseconds after the world's start: its end is infinite until that is known. */
  let pause = { since: 0, until: 0 }

  /** Takes in what rules stand. */
  const follow = () => {
    const stored = world.redis.look("GET", key)
    const rules = Result.getOrElse(rulesOf(typeof stored === "string" ? stored : undefined), () => [])
    const standing = rules.find(({ kind }) => kind === "pause")
    const now = world.elapsed
    if (standing === undefined) pause.until = Math.min(pause.until, now)
    else {
      const until = standing.until === undefined ? Number.POSITIVE_INFINITY : now + standing.until - world.now
      pause = { since: pause.until > now ? pause.since : now, until }
    }
  }

  /** When what began last for a process began, and with it its ramp. */
  const begunAt = (process: Process, { rampAt }: Flight): number => {
    const { since, until } = pause
    const wasPaused = prompt && until <= world.elapsed && until - since > knownAfterMs
    return Math.max(rampAt, closedAt.get(process) ?? 0, wasPaused ? until : 0)
  }

  const rate = scenario.settings.deliveryRate
  const flights = new WeakMap<Process, Flight>()
  /** The requests of the window, and who made them. */
  let sent: Array<{ readonly at: number; readonly process: Process }> = []

  const of = (process: Process): Flight => {
    const known = flights.get(process) ?? { count: 0, rampAt: world.elapsed, pausedUntil: 0, succeededAt: -latelyMs }
    flights.set(process, known)
    return known
  }

  const holdsRate = (process: Process) => {
    if (rate === undefined) return
    const now = world.elapsed
    sent.push({ at: now, process })
    sent = sent.filter(({ at }) => at > now - windowMs)
    const processes = new Set(sent.map(({ process }) => process)).size
    const most = (1.1 * rate.count * windowMs) / rate.perMs + unspent * processes
    if (sent.length > most) report("rate", `${sent.length} requests of ${processes} processes in ${windowMs} ms`)
  }

  const isGentle = (process: Process, flight: Flight) => {
    const { count } = flight
    const since = world.elapsed - begunAt(process, flight)
    const most = since < -onItsWayMs ? undefined : steps[Math.max(0, Math.floor((since + onItsWayMs) / 1_000))]
    if (most !== undefined && count > most) {
      report("ramp", `${process.name} has ${count} requests in flight ${since} ms after it began again`)
    }
  }

  return {
    // A process is known from its first command on, which comes before its ramp begins.
    onCommand: of,
    onExecuted: ({ args, name }) => {
      if (name === "EVAL" && scriptName(args[0] ?? "") === "swap") follow()
    },
    onSent: ({ process, request }) => {
      if (!isDelivery(request)) return
      const flight = of(process)
      flight.count += 1
      holdsRate(process)
      isGentle(process, flight)
    },
    onEnd: ({ process, request }, status, body, headers) => {
      if (!isDelivery(request)) return
      const flight = of(process)
      flight.count -= 1
      if (isSuccess(status, body)) flight.succeededAt = world.elapsed
      const asked = Math.min(300, Number(headers["retry-after"] ?? 0)) * 1_000
      if (status !== 429 || !(asked > 0)) return
      if (world.elapsed < flight.succeededAt + latelyMs || world.elapsed + asked <= flight.pausedUntil) return
      flight.pausedUntil = world.elapsed + asked
      flight.rampAt = flight.pausedUntil
    }
  }
}
