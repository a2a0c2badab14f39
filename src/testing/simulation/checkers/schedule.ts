/** Attempts: counted truly, set for the scheduled instants, never early, and on time where nothing is in the way. */
import type { Process } from "../../world/process.ts"
import type { Round } from "../eventRecord.ts"
import { jsonOf, place } from "../eventRecords.ts"
import type { StreamEvent } from "../streamEvents.ts"
import { type Checker, isSuccess, isUndisturbed, type Scene } from "./checker.ts"

/** The waits after the first, second and third failure, in milliseconds; written out here, not taken from the code. */
const waits = [5_000, 15_000, 45_000]
const longestRetryAfter = 300_000
/** How late an attempt may be that nothing holds up. */
const leewayMs = 1_500

export const schedule = ({ records, report, scenario, world }: Scene): Checker => {
  const { abandoned, dlq } = scenario.streams
  /** When each process last saw each event fail in a round, by its own clock. */
  const failedAt = new WeakMap<Round, Map<string, number>>()
  const skewedAt = new Map<string, number>()
  /** The attempts that each entry of the DLQ says were made. */
  const attempts = new WeakMap<Round, Map<string, number>>()
  const undisturbed = isUndisturbed(scenario)
  const calm =
    undisturbed &&
    !scenario.hostile.api &&
    scenario.rulePlan.length === 0 &&
    scenario.troubles.length === 0 &&
    (scenario.settings.isolateBy.length === 0 || scenario.settings.isolateShare >= 0.5) &&
    scenario.settings.deliveryConcurrency >= 16 &&
    scenario.settings.deliveryRate === undefined &&
    scenario.settings.dlqHold >= 1_000 &&
    scenario.usualConditions.retryAfter === undefined &&
    scenario.traffic.burstChance === 0

  const note = (notes: WeakMap<Round, Map<string, number>>, round: Round, name: string, value: number) => {
    const known = notes.get(round)
    if (known === undefined) notes.set(round, new Map([[name, value]]))
    else known.set(name, value)
  }

  const counted = (from: string, id: string): number => {
    const round = records.at(from, id)
    return (round === undefined ? undefined : attempts.get(round)?.get(place(from, id))) ?? 0
  }

  const scheduled = (
    from: { readonly stream: string; readonly id: string } | undefined,
    newId: string,
    fields: ReadonlyArray<string>,
    process: Process | undefined
  ) => {
    const retry = jsonOf(fields, "retry")
    const round = records.at(dlq, newId)
    if (round === undefined) return
    const { eventId } = round.record.produced
    const attempt = Number(retry.attempt)
    const notBefore = Number(retry.not_before)
    const failed = Number(retry.last_failed_at)
    note(attempts, round, place(dlq, newId), attempt)
    if (retry.set_aside !== undefined) {
      const before = from === undefined ? attempt : counted(from.stream, from.id)
      if (attempt === before) return
      return report("attempt-count", `${eventId}: ${before} attempts became ${attempt} as it was set aside`)
    }
    const wait = waits[attempt - 1]
    if (wait === undefined) return report("attempt-count", `${eventId} was moved after ${attempt} attempts`)
    if (from !== undefined && attempt !== counted(from.stream, from.id) + 1) {
      report("attempt-count", `${eventId}: ${counted(from.stream, from.id)} attempts became ${attempt}`)
    }
    if (round.failures < attempt) {
      report("attempt-count", `${eventId}: ${attempt} attempts counted, ${round.failures} failures seen`)
    }
    if (notBefore - failed < wait || notBefore - failed > Math.max(wait, longestRetryAfter)) {
      report("retry-delay", `${eventId}: ${notBefore - failed} ms after failure ${attempt}`)
    }
    if (notBefore - failed > wait && !retriesAreAfter) {
      report("retry-delay", `${eventId}: ${notBefore - failed} ms after failure ${attempt}, nobody asked for more`)
    }
    const seen = process === undefined ? undefined : failedAt.get(round)?.get(process.name)
    if (seen !== undefined && process !== undefined && !steady(process)) return
    if (seen === undefined || Math.abs(seen - failed) > 5) {
      report("retry-delay", `${eventId}: says it failed at ${failed}, was seen to fail at ${seen ?? "no time"}`)
    }
  }

  const retriesAreAfter =
    scenario.hostile.api ||
    scenario.usualConditions.retryAfter !== undefined ||
    scenario.faults.some((fault) => fault.kind === "storm" && fault.conditions.retryAfter !== undefined)

  /** Whether a process's clock has not been set lately. */
  const steady = (process: Process): boolean => world.elapsed - (skewedAt.get(process.name) ?? -1e9) > 30_000

  return {
    onFault: (fault) => {
      if (fault.kind === "skew") skewedAt.set(fault.replica, world.elapsed)
    },
    onEnd: ({ process, request }, status, body) => {
      const round = isSuccess(status, body) ? undefined : records.ofRequest(request)
      if (round !== undefined) note(failedAt, round, process.name, process.now)
    },
    onRecords: (streamEvent: StreamEvent, process) => {
      if (streamEvent._tag === "Moved" && streamEvent.to === dlq) {
        scheduled({ stream: streamEvent.from, id: streamEvent.id }, streamEvent.newId, streamEvent.fields, process)
      } else if (streamEvent._tag === "Added" && streamEvent.stream === dlq) {
        scheduled(undefined, streamEvent.id, streamEvent.fields, process)
      } else if (streamEvent._tag === "Moved" && streamEvent.to === abandoned) {
        const round = records.at(abandoned, streamEvent.newId)
        const made = Number(jsonOf(streamEvent.fields, "abandoned").attempts)
        if (round !== undefined && round.failures < made) {
          report(
            "attempt-count",
            `${round.record.produced.eventId}: abandoned after ${made}, ${round.failures} failures seen`
          )
        }
      }
    },
    onSent: ({ process, request }) => {
      const eventId = request.headers["idempotency-key"]
      const attempt = Number(request.headers["x-delivery-attempt"])
      if (eventId === undefined) return
      const round = records.ofRequest(request)
      if (!(attempt >= 1 && attempt <= 4)) report("attempt-count", `${eventId} is sent as attempt ${attempt}`)
      if (round === undefined) return
      const scheduled = Math.max(0, ...round.notBefore.keys())
      if (undisturbed && attempt !== scheduled + 1) {
        report("attempt-count", `${eventId}: attempt ${scheduled + 1} is sent as attempt ${attempt}`)
      }
      if (attempt < 2 || !steady(process)) return
      const notBefore = round.notBefore.get(attempt - 1)
      if (notBefore === undefined) return report("attempt-count", `${eventId}: attempt ${attempt} was never scheduled`)
      const late = process.now - notBefore
      if (late < 0) report("early", `${eventId}: attempt ${attempt} is ${-late} ms early`)
      if (calm && late > leewayMs) report("late", `${eventId}: attempt ${attempt} is ${late} ms late`)
    }
  }
}
