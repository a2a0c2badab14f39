/**
 * One cannot stop all: no partition has more than its share of a process's requests while others want some, what is set aside
 * says truly for which partition, and the events of all others go on as they come.
 */
import { Duration } from "effect"
import type { Process } from "../../world/process.ts"
import { jsonOf } from "../eventRecords.ts"
import { type Checker, isUndisturbed, type Scene } from "./checker.ts"

/** Whoever was sent so lately wants permits still, in milliseconds: a little less than the service has it. */
const activeMs = 9_000
/** What was let go on while nobody else wanted permits may be on its way for as long as a request takes, and this. */
const onItsWayMs = 3_000
/** How late the first attempt of an event may be that nothing holds up, in milliseconds. */
const promptMs = 3_000

/** When the ramp of the beginning is over for certain, in milliseconds after the world's start. */
const rampOverMs = 15_000

/** Of one process and one field. */
class Sent {
  private readonly inFlight = new Map<string, number>()
  private recent: Array<{ readonly at: number; readonly value: string }> = []

  count(value: string): number {
    return this.inFlight.get(value) ?? 0
  }

  sent(value: string, at: number, keptMs: number): void {
    this.inFlight.set(value, this.count(value) + 1)
    this.recent.push({ at, value })
    const [first] = this.recent
    if (first !== undefined && first.at < at - 2 * keptMs)
      this.recent = this.recent.filter((one) => one.at >= at - keptMs)
  }

  ended(value: string): void {
    const left = this.count(value) - 1
    if (left > 0) this.inFlight.set(value, left)
    else this.inFlight.delete(value)
  }

  /** Whether others than a value have wanted permits all the time, for so long. */
  othersWanted(value: string, now: number, forMs: number): boolean {
    let since = now
    for (const one of this.recent.toReversed()) {
      if (one.value === value) continue
      if (since - one.at > activeMs) return false
      since = one.at
      if (since <= now - forMs) return true
    }
    return false
  }
}

export const partitions = ({ records, report, scenario, world }: Scene): Checker => {
  const { faults, hostile, rulePlan, settings, streams, traffic, troubles, usualConditions } = scenario
  const { apiTimeout, deliveryConcurrency: total, isolateBy, isolateShare } = settings
  const longMs = Duration.toMillis(apiTimeout) + onItsWayMs
  const share = Math.ceil(total * isolateShare)
  /** Of all but the narrowest field what a narrower one takes up who has its own share does not count, up to half of the rest. */
  const mostOf = isolateBy.map((_, field) =>
    field === isolateBy.length - 1 ? share : share + Math.floor((total - share) / 2)
  )
  const processes = new WeakMap<Process, ReadonlyArray<Sent>>()
  const of = (process: Process): ReadonlyArray<Sent> => {
    const known = processes.get(process) ?? isolateBy.map(() => new Sent())
    processes.set(process, known)
    return known
  }

  const keepsShares = (process: Process, eventId: string) => {
    const values = records.ofEvent(eventId)?.produced.values ?? {}
    for (const [field, sent] of of(process).entries()) {
      const value = values[isolateBy[field] ?? ""]
      if (value === undefined) continue
      sent.sent(value, world.elapsed, longMs + activeMs)
      const count = sent.count(value)
      if (count <= (mostOf[field] ?? total) || !sent.othersWanted(value, world.elapsed, longMs)) continue
      report("share", `${eventId}: ${process.name} has ${count} requests of ${value} in flight, of ${total} in all`)
    }
  }

  const [trouble, ...more] = troubles
  /** Whether at most one partition misbehaves, and nothing but that can hold an event up. */
  const flows =
    isUndisturbed(scenario) &&
    faults.length === 0 &&
    more.length === 0 &&
    (trouble === undefined || isolateBy.includes(trouble.field)) &&
    !hostile.api &&
    rulePlan.every(({ kind }) => kind === "park") &&
    settings.deliveryRate === undefined &&
    usualConditions.retryAfter === undefined &&
    traffic.burstChance === 0 &&
    total >= 8 &&
    // What is left to the others is more than they need.
    (total - (mostOf[0] ?? total)) * 1_000 > 3 * traffic.perSecond * scenario.apiMs

  const isOther = (values: Readonly<Record<string, string | undefined>>): boolean =>
    (trouble === undefined || values[trouble.field] !== trouble.value) &&
    (rulePlan.length === 0 || values.user_id !== "user-1")

  /** Whether nothing but its share can keep an event from running, at most times: not that several replicas may have it. */
  const onlyShares =
    isUndisturbed(scenario) &&
    scenario.replicas.length === 1 &&
    isolateBy.length > 0 &&
    !hostile.api &&
    rulePlan.length === 0 &&
    settings.deliveryRate === undefined &&
    usualConditions.retryAfter === undefined &&
    troubles.every(({ status }) => status !== 429) &&
    settings.dlqHold >= 10_000
  /** Partitions that had less than their share at the last look while an event of theirs waited. */
  let withheld = new Set<string>()

  /** Looks for events that wait while all of their partitions have less than their share. */
  const givesShares = () => {
    const [replica] = world.replicas
    const { process, run } = replica ?? {}
    const before = withheld
    withheld = new Set()
    if (process === undefined || run === undefined || world.elapsed < rampOverMs) return
    if (!run.gate.flows(world.now) || run.gate.circuits.open > 0 || run.permits.most < total) return
    const sent = of(process)
    for (const record of records.all) {
      const { produced, requests } = record
      const waitedMs = world.now - Number(produced.entryId.split("-")[0])
      if (produced.nature !== "good" || records.ended(record) || requests > 0 || waitedMs < promptMs) continue
      const values = isolateBy.map((field) => produced.values[field])
      if (values.some((value, field) => value !== undefined && (sent[field]?.count(value) ?? 0) >= share)) continue
      const name = values.join()
      withheld.add(name)
      if (!before.has(name)) continue
      report("share-withheld", `${produced.eventId} waits, and no partition of it has its share of ${share}`)
      return
    }
  }

  const isPrompt = (eventId: string) => {
    const record = records.ofEvent(eventId)
    if (record?.produced.nature !== "good" || record.requests > 0 || !isOther(record.produced.values)) return
    const late = world.now - Number(record.produced.entryId.split("-")[0])
    if (late > promptMs) report("held-up", `${eventId} is sent first after ${late} ms, held up by what is not its own`)
  }

  return {
    ...(onlyShares ? { onLook: givesShares } : {}),
    onSent: ({ process, request }) => {
      const eventId = request.headers["idempotency-key"]
      if (eventId === undefined) return
      keepsShares(process, eventId)
      if (flows) isPrompt(eventId)
    },
    onEnd: ({ process, request }) => {
      const eventId = request.headers["idempotency-key"]
      const values = eventId === undefined ? {} : (records.ofEvent(eventId)?.produced.values ?? {})
      for (const [field, sent] of of(process).entries()) {
        const value = values[isolateBy[field] ?? ""]
        if (value !== undefined) sent.ended(value)
      }
    },
    onRecords: (streamEvent) => {
      if (streamEvent._tag !== "Moved" || streamEvent.to !== streams.dlq) return
      const { partition, set_aside: reason } = jsonOf(streamEvent.fields, "retry")
      const produced = records.at(streamEvent.to, streamEvent.newId)?.record.produced
      if (reason === undefined || produced === undefined) return
      const [field = "", value] = String(partition).split("=")
      const isOwn = produced.values[field] === value && (reason === "parked" || isolateBy.includes(field))
      if (!isOwn) report("set-aside-wrongly", `${produced.eventId} for ${partition}, which is not its own (${reason})`)
      if (reason === "parked" && rulePlan.length === 0)
        report("set-aside-wrongly", `${produced.eventId}: nobody is parked`)
    }
  }
}
